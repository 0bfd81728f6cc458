"""What the data plane knows of the wire: the descriptors of its messages. Nothing else of Rust shows here."""

from understudy.dataplane._native import file_descriptor_set

__all__ = ["file_descriptor_set"]
