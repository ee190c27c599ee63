//! The gateway: from a stranger's connection to a handler's response, and back. No V8 in here.
#![forbid(unsafe_code)]

<<<<<<< HEAD
pub mod control;
pub mod route;
=======
pub mod accept;
pub mod config;
>>>>>>> accept
