//! The tools that other tests rely on must themselves be able to find what they look for.

mod allocator;
mod clock;
mod content;
mod network;
