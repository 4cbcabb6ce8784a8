"""The one error of a world that cannot be."""


class WorldError(ValueError):
    """The world, or a change of it, is not what the contract describes; its message says where."""
