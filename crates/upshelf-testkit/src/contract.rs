/// Writes each test once and runs it on every part of a service.
///
/// ```text
/// contract! {
///     parts {
///         sqlite   => Shelf::sqlite().await,      // any expression that makes an owned fixture; it may await
///         postgres => Shelf::postgres().await,
///     }
///
///     /// Doc comments and attributes are kept.
///     async fn a_second_vote_replaces_the_first(shelf: Shelf) { … }
///     async fn a_vote_can_be_retracted(shelf: &Shelf) -> Result<(), Error> { … }
/// }
/// ```
///
/// becomes `mod a_second_vote_replaces_the_first { #[tokio::test] async fn sqlite() … async fn postgres() … }` and
/// so on; `cargo test a_second_vote` runs one promise, `cargo test ::postgres` one part. A test takes one
/// argument, by value or by reference (`&impl Contract` where parts differ in type), and may return a `Result`.
/// Helpers stand outside the macro and are in scope; the calling crate needs `tokio` with `macros` and `rt`.
///
/// A word before `parts` chooses the runtime: `paused` stops tokio's clock (it jumps ahead when everything waits),
/// `threads` uses two worker threads.
#[macro_export]
macro_rules! contract {
    (paused parts $($rest:tt)+) => { $crate::contract! { @all (start_paused = true) $($rest)+ } };
    (threads parts $($rest:tt)+) => {
        $crate::contract! { @all (flavor = "multi_thread", worker_threads = 2) $($rest)+ }
    };
    (parts $($rest:tt)+) => { $crate::contract! { @all () $($rest)+ } };

    (@all $runtime:tt $parts:tt $(
        $(#[$meta:meta])*
        async fn $name:ident $argument:tt $(-> $out:ty)? $body:block
    )+) => {
        $($crate::contract! { @one $runtime $parts [$($meta),*] $name $argument [$($out)?] $body })+
    };

    (@one $runtime:tt $parts:tt [$($meta:meta),*] $name:ident ($argument:ident: &$type:ty $(,)?) [$($out:ty)?] $body:block) => {
        $(#[$meta])*
        mod $name {
            use super::*;
            async fn check($argument: &$type) $(-> $out)? $body
            $crate::contract! { @parts $runtime $parts [&] [$($out)?] }
        }
    };
    (@one $runtime:tt $parts:tt [$($meta:meta),*] $name:ident ($argument:ident: $type:ty $(,)?) [$($out:ty)?] $body:block) => {
        $(#[$meta])*
        mod $name {
            use super::*;
            async fn check($argument: $type) $(-> $out)? $body
            $crate::contract! { @parts $runtime $parts [] [$($out)?] }
        }
    };

    (@parts $runtime:tt { $($part:ident => $make:expr),+ $(,)? } $by:tt $out:tt) => {
        $($crate::contract! { @test $runtime $part ($make) $by $out })+
    };
    (@test ($($runtime:tt)*) $part:ident $make:tt [$($by:tt)?] [$($out:ty)?]) => {
        #[tokio::test($($runtime)*)]
        async fn $part() $(-> $out)? {
            check($($by)? $make).await
        }
    };
}
