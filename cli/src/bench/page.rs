//! placeholder
use crate::bench::summary::Summary;
/// x
pub fn render(_s: &Summary) -> String { String::new() }
