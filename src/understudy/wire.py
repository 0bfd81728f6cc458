"""The server's protobuf messages in Python: classes made from the data plane's own descriptor set.

They live in a private pool, so that a process may import tensorflow-serving-api too, before or after.
What the fields mean is said where they are read (config_text.py); nothing here knows a message by name.
"""

from functools import cache

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from understudy.dataplane.descriptors import file_descriptor_set


@cache
def descriptor_pool() -> DescriptorPool:
    """The private pool: every message that the server speaks, and no other."""
    files = descriptor_pb2.FileDescriptorSet.FromString(file_descriptor_set()).file
    pool = DescriptorPool()
    for file in files:  # dependencies come before those that need them
        pool.AddSerializedFile(file.SerializeToString())
    return pool


@cache
def message_class(full_name: str) -> type[Message]:
    """The class of a message, by its full name: `tensorflow.serving.ModelServerConfig`.

    Raises:
        KeyError: when the server speaks no such message.
    """
    return message_factory.GetMessageClass(descriptor_pool().FindMessageTypeByName(full_name))
