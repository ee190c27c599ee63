use serde::{Deserialize, Serialize};

/// What functions see of time (`isle_runtime::clock` says why).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// In steps of 0.1 ms.
    #[default]
    Coarse,
    /// Standing still while code runs; set when a request, a timer or a piece of a body arrives.
    Frozen,
    /// In microseconds.
    Precise,
}
