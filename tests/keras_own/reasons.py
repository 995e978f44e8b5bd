"""Why a test of Keras's may fail with sharpness-aware classes."""

SHARPNESS = "Metrics and logs have `sharpness`, too, and so has what is written of them."

# Regular expressions for what the failure says, each with the reason.
SAID = {
    "sharpness": SHARPNESS,
    "is not an instance of <class '(keras_sam|tests)": (
        "The test makes a plain model by Keras's own `from_config`, and asks for the class "
        "in the place of Keras's."
    ),
    r"Functional\.__init__\(\) missing 2 required": (
        "Keras makes a class functional for good when it has its first functional "
        "instance. Keras spares `Model`, ours `SAMModel`; this class derives from it."
    ),
    r"[Cc]onfig.*\{'rho'|arguments passed to Model: \{'rho'": (
        "The test gives the config of a model that `from_model` has made to the class of "
        "Keras's that the model was made of."
    ),
    r"\{'epoch': .*'rho': ": (
        "On JAX a compiled step reads rho and the number of the epoch among the variables "
        "that are not trained."
    ),
    r"ArrayImpl object at \w+> is not None": (
        "On JAX the variables keep their arrays while `fit` runs. Keras empties them, and "
        "a step that fails loses the weights."
    ),
    r"Unknown layer: '(SAMModel|Mixed)": (
        "Keras's legacy format, `.h5`, finds a class that is not Keras's only by "
        "`custom_objects`."
    ),
}

# And for the names of tests whose failure says too little: two numbers.
NAMES = {
    r"::test_(multiple_compiles|nested_trainer_metrics|metric_tracking)": SHARPNESS,
    r"::test_(on_batch_methods|symbolic_build|CSVLogger)": SHARPNESS,
}
