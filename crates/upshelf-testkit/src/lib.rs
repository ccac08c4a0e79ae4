//! What tests need: real servers, a hand-set clock, the contract macro.
