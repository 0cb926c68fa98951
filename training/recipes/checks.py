"""What can be known of a recipe's data before torch is imported: a mistake is said in a second, not after minutes."""

from collections.abc import Sequence

from training.data.run_folder import load_split
from training.recipes.options import DataConfig
from training.recipes.recipe import RecipeStep


def check_data(steps: Sequence[RecipeStep]) -> None:
    """Read the labelled reviews of every step, each file once, and split them.

    Raises:
        TrainingError: they cannot be read, or cannot be split.
    """
    read = []
    for config in (step.config for step in steps):
        if isinstance(config, DataConfig):
            data = config.model_dump(include=set(DataConfig.model_fields) - {"base_model", "seed", "output"})
            if data not in read:
                read.append(data)
                load_split(config)
