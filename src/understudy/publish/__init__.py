"""Publishing: an export is checked, then put into a base path whole, under the next number.

`publish` is the whole of it, for pipelines; the command `understudy publish` is the same for people. Nothing
here talks to a server.
"""

from understudy.errors import PublishError
from understudy.publish.publication import Published, PublishOptions, Reference, publish

__all__ = ["PublishError", "PublishOptions", "Published", "Reference", "publish"]
