"""Check the data of a recipe before torch is imported: a mistake is reported after a second, not after minutes."""

from collections.abc import Sequence

from training.data.run_folder import load_split
from training.recipes.options import DataConfig
from training.recipes.recipe import RecipeStep


def check_data(steps: Sequence[RecipeStep]) -> None:
    """Read and split the labelled reviews of every step, each file once.

    Raises:
        TrainingError: a file cannot be read, or its reviews cannot be split.
    """
    read = []
    for config in (step.config for step in steps):
        if isinstance(config, DataConfig):
            data = config.model_dump(include=set(DataConfig.model_fields) - {"base_model", "seed", "output"})
            if data not in read:
                read.append(data)
                load_split(config)
