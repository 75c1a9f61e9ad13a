//! fibers
