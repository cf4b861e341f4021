"""The SPEX model on torch and transformers. Importing this loads both; nothing below it is imported by `spex_nb`."""

from transformers import AutoConfig, AutoModel, AutoProcessor

from spex_nb.model.checkpoint_files import shipped_checkpoints
from spex_nb.model.configuration import SpexConfig
from spex_nb.model.inspection import fit_batch, look_inside
from spex_nb.model.modeling import SpexModel
from spex_nb.model.predictor import SpexPredictor
from spex_nb.model.processing import SpexProcessor

AutoConfig.register(SpexConfig.model_type, SpexConfig)
AutoModel.register(SpexConfig, SpexModel)
AutoProcessor.register(SpexConfig, SpexProcessor)

__all__ = [
    "SpexConfig",
    "SpexModel",
    "SpexPredictor",
    "SpexProcessor",
    "fit_batch",
    "look_inside",
    "shipped_checkpoints",
]
