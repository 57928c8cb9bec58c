//! Pure statistics over sliding windows. Nothing here reads a clock or divides by zero: no result is negative, infinite or NaN.

pub mod bitrate;
pub mod loss;
