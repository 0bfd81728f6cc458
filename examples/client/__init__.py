"""Examples of `understudy.client`."""
