"""What is to be done. Pure: no I/O, no clock, no IPython."""
from stepwell.flow._binding import Binding, BindingKind, Environment
from stepwell.flow._step import Step
__all__ = ["Binding", "BindingKind", "Environment", "Step"]
