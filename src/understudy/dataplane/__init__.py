"""The data plane, as Python sees it. The only package that knows Rust exists."""
