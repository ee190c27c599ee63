//! Route: host, method and path → function version. Pure; no I/O.
