# Authors: The skal developers
# SPDX-License-Identifier: BSD-3-Clause

"""Loading checkpoints: quietly, in float32, and with an error that helps."""

import contextlib
import os
from importlib.resources import files

import torch
from huggingface_hub.utils import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)
from transformers import (
    MODEL_FOR_MASKED_LM_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)
from transformers.utils import logging

from skal.exceptions import MissingCapabilityError, ModelNotFoundError
from skal.neural._surprisal import MaskedLanguageModel
from skal.neural._transformer_module import SentenceModule, SequenceClassifier

_ALIGNMENT = 64  # bytes: a cache line, and what torch allocates by
_IN_THE_BOX = ("skal-tiny",)  # folders of skal.models
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tekken.json")


def locate(model):
    """The folder of a model in the package; what else `model` names, unchanged.

    A str that is such a name means the package's model, whatever the working directory
    holds; a path object never does.
    """
    if isinstance(model, str) and model in _IN_THE_BOX:
        return str(files("skal.models") / model)
    return os.fspath(model)


def load_tokenizer(model, *, verbose=0):
    """The tokenizer of a checkpoint; one without a padding token pads with its end."""
    with _loading(model, verbose):
        tokenizer = AutoTokenizer.from_pretrained(locate(model))
        _check_vocabulary(model, tokenizer)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_sequence_classifier(model, n_classes, *, pad_token_id=None, verbose=0):
    """A checkpoint with a classification head for `n_classes` classes.

    A head of another size, or none, is replaced by new random weights: seed torch
    before. The weights are float32 whatever the checkpoint stores.
    """
    with _loading(model, verbose):
        network = AutoModelForSequenceClassification.from_pretrained(
            locate(model),
            num_labels=n_classes,
            ignore_mismatched_sizes=True,
        )
    network = _aligned(network.float())
    config = network.config
    if config.pad_token_id is None:
        config.pad_token_id = pad_token_id
    if config.is_encoder_decoder and not hasattr(config, "decoder_start_token_id"):
        config.decoder_start_token_id = config.pad_token_id  # as all T5 do
    config.use_cache = False  # of keys and values: no text is generated
    return SequenceClassifier(network)


def load_encoder(model, *, pooling, normalize, verbose=0):
    """A checkpoint without a head, pooled to one vector per text."""
    with _loading(model, verbose):
        network = AutoModel.from_pretrained(locate(model))
    network = _aligned(network.float())
    return SentenceModule(network, pooling=pooling, normalize=normalize)


def load_masked_language_model(model, *, verbose=0):
    """A checkpoint with its masked-language-model head, which it must have."""
    with _loading(model, verbose):
        config = AutoConfig.from_pretrained(locate(model))
        found = type(config) in MODEL_FOR_MASKED_LM_MAPPING
        if found:
            network, report = AutoModelForMaskedLM.from_pretrained(
                locate(model), output_loading_info=True
            )
            found = not report["missing_keys"]
    if not found:
        raise MissingCapabilityError(
            "token_surprisal takes a checkpoint with a masked-language-model head. "
            f"{os.fspath(model)!r} ({type(config).__name__}) has no weights of one; "
            "use one as pretrained with masked language modelling, such as "
            "'bert-base-uncased' or 'skal-tiny', not one saved after fine-tuning."
        )
    return MaskedLanguageModel(_aligned(network.float()).eval())


def _aligned(network):
    """Move weights to where their memory is aligned, as that of a pickle's is.

    A file's are where the file has them, and on some processors the last bit of a
    product depends on it.
    """
    with torch.no_grad():
        for weights in (*network.parameters(), *network.buffers()):
            if weights.data_ptr() % _ALIGNMENT:
                weights.data = weights.data.clone()
    return network


@contextlib.contextmanager
def _loading(model, verbose):
    """Name the model in what goes wrong; keep transformers quiet unless verbose."""
    try:
        _check_folder(model)
        with contextlib.nullcontext() if verbose else _quiet():
            yield
    except (OSError, ValueError) as error:
        raise ModelNotFoundError(
            "model must be a local folder that holds a checkpoint (config, weights and "
            "tokenizer) or the name of one on the Hugging Face hub. Got "
            f"{os.fspath(model)!r}, which could not be loaded: {_first_line(error)} "
            "Check the spelling, pass the path of a local folder, or, if the name is "
            "right, load it once while online and with HF_HUB_OFFLINE unset. To try "
            "things out, 'skal-tiny' needs neither: it comes with skal."
        ) from error


def _check_folder(model):
    """Refuse a path that is no folder, and a folder without a configuration.

    What transformers says of them differs between its releases and helps little.
    """
    path = locate(model)
    if not os.path.isdir(path) and (os.path.isabs(path) or path.startswith(".")):
        raise OSError(f"There is no folder {path!r}.")
    if os.path.isdir(path) and not os.path.isfile(os.path.join(path, "config.json")):
        raise OSError(f"The folder {path!r} has no file config.json.")


def _check_vocabulary(model, tokenizer):
    """Refuse a folder without a tokenizer: transformers makes an empty one up, which
    knows no word."""
    found = {*tokenizer.vocab_files_names.values(), *_TOKENIZER_FILES}
    path = locate(model)
    if (
        tokenizer.vocab_files_names
        and os.path.isdir(path)
        and found.isdisjoint(os.listdir(path))
    ):
        raise OSError(
            f"The folder {os.fspath(model)!r} has no tokenizer, such as tokenizer.json."
        )


def _first_line(error):
    line = str(error).strip().partition("\n")[0].strip()
    return line if line.endswith(".") else f"{line}."


@contextlib.contextmanager
def _quiet():
    """Silence the reports and progress bars of loading, then restore the settings."""
    verbosity = logging.get_verbosity()
    bars, hub_bars = logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
        (enable_progress_bars if hub_bars else disable_progress_bars)()
