//! Lines for the plugin's author. The host bounds them and keeps them with the decision; natively they go to stderr.

pub use crate::bindings::risk_agent::assize::plugin::log::Level;

/// Writes one line. A component that never logs doesn't import the host's `log` interface.
pub fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::risk_agent::assize::plugin::log::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{level:?}: {message}");
}

/// Logs a formatted line at a level: `log!(Warn, "{} strings", n)`.
#[macro_export]
macro_rules! log {
    ($level:ident, $($message:tt)+) => {
        $crate::log::write($crate::log::Level::$level, &::std::format!($($message)+))
    };
}
