"""The engines that come with Pulvinar. Each module's `open_engine` is an entry point of the group `pulvinar.engine`."""
