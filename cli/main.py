"""The `verdict` command: the commands of the client, and those that run, train and measure."""

from cli._submit_local import classify_here
from local.errors import LocalError
from verdict_cli.main import COMMANDS as CLIENT
from verdict_cli.main import Command, run

# In the order of `verdict --help`.
COMMANDS = {
    "run": Command("cli.run", "Run everything here: PostgreSQL, Valkey, migrations, API, workers, maintenance."),
    **CLIENT,
    "sla": Command("cli.sla", "Show whether the service meets its targets for failures, latency and accuracy."),
    "requests": Command("cli.requests", "List the requests that the service answered, from its log."),
    "examples": Command("cli.examples", "Add, list and remove the labelled reviews that similar reviews come from."),
    "train": Command("cli.train", "Fine-tune a classifier on labelled reviews, or run all steps of a recipe."),
    "pretrain": Command("cli.pretrain", "Continue the masked-language training of a base model on reviews."),
    "ngram": Command("cli.ngram", "Fit the linear n-gram classifier, which answers in microseconds."),
    "embedder": Command("cli.embedder", "Fit the embedder that finds similar reviews."),
    "label": Command("cli.label", "Label texts with a trained classifier, for the training of a smaller one."),
    "experiment": Command("cli.experiment", "Compare losses or preprocessings over several seeds."),
    "search": Command("cli.search", "Search hyper-parameters: learning rate, batch size, epochs."),
    "export": Command("cli.export", "Write a trained classifier as an ONNX model folder."),
    "validate": Command("cli.validate", "Print the predictions of a model for some texts, without a service."),
    "upload": Command("cli.upload", "Upload a model folder to a model hub."),
    "evaluate": Command("cli.evaluate", "Measure a model folder on labelled reviews."),
    "benchmark": Command("cli.benchmark", "Compare a model with usual deployments: speed, accuracy, memory."),
    "tune": Command("cli.tune", "Find the fastest settings of a worker on this machine."),
}
HELP = "Verdict: asynchronous sentiment classification of reviews."


def app() -> None:
    """Run `verdict`."""
    run("verdict", HELP, COMMANDS, extra=classify_here, also=LocalError)


if __name__ == "__main__":
    app()
