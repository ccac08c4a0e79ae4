//! Access and refresh tokens: rotation, reuse detection, revocation.
