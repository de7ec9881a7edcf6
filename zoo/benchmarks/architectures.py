"""Thirty-three recurrent architectures as people build them: what the conformance tests export and the benchmark times.

Every builder takes the number of units H and returns a model with free batch, and free time wherever the architecture
allows. Shapes in the docstrings leave the batch out: T steps, V tokens (`VOCABULARY`), F features (`FEATURES`).
"""

from collections.abc import Callable, Mapping

import keras
import numpy as np
from keras import layers, ops

VOCABULARY, FEATURES, CLASSES = 20, 3, 5
STEPS, FRAME = 6, 8  # of what has a fixed length; pixels of an image's side
Builder = Callable[[int], keras.Model]


def build(name: str, units: int) -> keras.Model:
    """The architecture with random weights, biases too (Keras starts those at zero, which hides mistakes)."""
    model = ARCHITECTURES[name](units)
    model.name = name
    random = np.random.default_rng(0)
    for weight in model.weights:
        spread = 1 / np.sqrt(max(1, *weight.shape[:-1])) if len(weight.shape) > 1 else 0.3
        value = random.uniform(-spread, spread, weight.shape)
        weight.assign(np.abs(value) + 0.5 if "variance" in weight.path or "gamma" in weight.path else value)
    return model


def example(model: keras.Model, batch: int, steps: int, padded: bool = False, seed: int = 1) -> dict[str, np.ndarray]:
    """{input name: array}: tokens from 1 on and normal numbers, free lengths of `steps`; `padded` ends every sequence
    of tokens in zeros, the more the later its row."""
    random, arrays = np.random.default_rng(seed), {}
    for tensor in model.inputs:
        shape = (batch if tensor.shape[0] is None else tensor.shape[0], *(s or steps for s in tensor.shape[1:]))
        if "int" not in tensor.dtype:
            arrays[tensor.name] = random.standard_normal(shape).astype("float32")
            continue
        arrays[tensor.name] = random.integers(1, VOCABULARY, shape).astype(tensor.dtype)
        for row in range(len(arrays[tensor.name]) if padded else 0):
            arrays[tensor.name][row, ..., max(1, shape[-1] * 2 // 3 - row) :] = 0
    return arrays


def _tokens(name: str = "tokens", masked: bool = True) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Tokens [T] and their embeddings [T, 8]."""
    tokens = keras.Input((None,), dtype="int32", name=name)
    return tokens, layers.Embedding(VOCABULARY, 8, mask_zero=masked)(tokens)


def _frames(steps: int | None = None, name: str = "frames", features: int = FEATURES) -> keras.KerasTensor:
    return keras.Input((steps, features), name=name)


def _sequences(layer: type[layers.RNN], units: int, **arguments: object) -> layers.RNN:
    return layer(units, return_sequences=True, **arguments)


def _classes(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Dense(CLASSES, activation="softmax")(x)


def sentiment_lstm(units: int) -> keras.Model:
    """Padded tokens [T] -> sentiment [1]."""
    tokens, x = _tokens()
    return keras.Model(tokens, layers.Dense(1, activation="sigmoid")(layers.LSTM(units)(x)))


def sentiment_bilstm(units: int) -> keras.Model:
    """Padded tokens [T] -> sentiment [1]."""
    tokens, x = _tokens()
    return keras.Model(tokens, layers.Dense(1, activation="sigmoid")(layers.Bidirectional(layers.LSTM(units))(x)))


def sentiment_stacked_bigru(units: int) -> keras.Model:
    """Padded tokens [T] -> sentiment [1]."""
    tokens, x = _tokens()
    x = layers.Bidirectional(_sequences(layers.GRU, units))(x)
    return keras.Model(tokens, layers.Dense(1, activation="sigmoid")(layers.Bidirectional(layers.GRU(units))(x)))


def text_cnn_lstm(units: int) -> keras.Model:
    """Tokens [T] -> classes: convolution and pooling before the LSTM."""
    tokens, x = _tokens(masked=False)
    x = layers.MaxPooling1D(2, padding="same")(layers.Conv1D(units, 3, padding="same", activation="relu")(x))
    return keras.Model(tokens, _classes(layers.LSTM(units)(x)))


def text_bigru_pooled(units: int) -> keras.Model:
    """Tokens [T] -> classes: maximum and mean over a BiGRU."""
    tokens, x = _tokens(masked=False)
    x = layers.Bidirectional(_sequences(layers.GRU, units))(layers.SpatialDropout1D(0.2)(x))
    pooled = layers.Concatenate()([layers.GlobalMaxPooling1D()(x), layers.GlobalAveragePooling1D()(x)])
    return keras.Model(tokens, _classes(pooled))


def document_hierarchical(units: int) -> keras.Model:
    """Sentences of tokens [T, 6] -> classes: a BiLSTM over each sentence, a BiLSTM over the sentences."""
    tokens = keras.Input((None, STEPS), dtype="int32", name="tokens")
    words, x = keras.Input((STEPS,), dtype="int32"), layers.Embedding(VOCABULARY, 8)
    encoder = keras.Model(words, layers.Bidirectional(layers.LSTM(units))(x(words)))
    sentences = layers.TimeDistributed(encoder)(tokens)
    return keras.Model(tokens, _classes(layers.Bidirectional(layers.LSTM(units))(sentences)))


def activity_lstm(units: int) -> keras.Model:
    """Sensor frames [T, F] -> classes."""
    frames = _frames()
    return keras.Model(frames, _classes(layers.LSTM(units)(frames)))


def activity_stacked_lstm(units: int) -> keras.Model:
    """Sensor frames [T, F] -> classes."""
    frames = _frames()
    x = layers.Dropout(0.2)(_sequences(layers.LSTM, units)(frames))
    return keras.Model(frames, _classes(layers.LSTM(units)(x)))


def activity_gru(units: int) -> keras.Model:
    """Sensor frames [T, F] -> classes."""
    frames = _frames()
    return keras.Model(frames, _classes(layers.GRU(units)(frames)))


def activity_deep_conv_lstm(units: int) -> keras.Model:
    """Sensor frames [T, F] -> classes: two convolutions, two LSTMs (Ordóñez and Roggen 2016)."""
    x = frames = _frames()
    for _ in range(2):
        x = layers.Conv1D(units, 5, padding="same", activation="relu")(x)
    return keras.Model(frames, _classes(layers.LSTM(units)(_sequences(layers.LSTM, units)(x))))


def tagger_bilstm(units: int) -> keras.Model:
    """Padded tokens [T] -> classes of every token."""
    tokens, x = _tokens()
    x = layers.Bidirectional(_sequences(layers.LSTM, units))(x)
    return keras.Model(tokens, layers.TimeDistributed(layers.Dense(CLASSES, activation="softmax"))(x))


def tagger_characters(units: int) -> keras.Model:
    """Tokens [T] and their characters [T, 6] -> classes of every token: a CNN over each word's characters."""
    tokens, words = _tokens(masked=False)
    characters = keras.Input((None, STEPS), dtype="int32", name="characters")
    letters, embedded = keras.Input((STEPS,), dtype="int32"), layers.Embedding(VOCABULARY, 4)
    spelt = layers.GlobalMaxPooling1D()(layers.Conv1D(units, 3, activation="relu")(embedded(letters)))
    x = layers.Concatenate()([words, layers.TimeDistributed(keras.Model(letters, spelt))(characters)])
    return keras.Model([tokens, characters], _classes(layers.Bidirectional(_sequences(layers.LSTM, units))(x)))


def language_gru(units: int) -> keras.Model:
    """Tokens [T] -> logits of the next token [T, V]."""
    tokens, x = _tokens(masked=False)
    return keras.Model(tokens, layers.Dense(VOCABULARY)(_sequences(layers.GRU, units)(x)))


def language_stacked_lstm(units: int) -> keras.Model:
    """Padded tokens [T] -> logits of the next token [T, V]."""
    tokens, x = _tokens()
    x = _sequences(layers.LSTM, units)(layers.Dropout(0.2)(_sequences(layers.LSTM, units)(x)))
    return keras.Model(tokens, layers.Dense(VOCABULARY)(x))


def translator_lstm(units: int) -> keras.Model:
    """Source tokens, target tokens [T] -> logits [T, V]: the encoder hands its states over (Sutskever et al. 2014)."""
    (source, x), (target, y) = _tokens("source"), _tokens("target")
    _, *states = layers.LSTM(units, return_state=True)(x)
    y = _sequences(layers.LSTM, units)(y, initial_state=states)
    return keras.Model([source, target], layers.Dense(VOCABULARY)(y))


def translator_bigru(units: int) -> keras.Model:
    """Source tokens, target tokens [T] -> logits [T, V]: both directions' states joined start the decoder."""
    (source, x), (target, y) = _tokens("source"), _tokens("target")
    _, forward, backward = layers.Bidirectional(layers.GRU(units, return_state=True))(x)
    y = _sequences(layers.GRU, 2 * units)(y, initial_state=layers.Concatenate()([forward, backward]))
    return keras.Model([source, target], layers.Dense(VOCABULARY)(y))


def translator_attention(units: int) -> keras.Model:
    """Source tokens, target tokens [T] -> logits [T, V]: the decoder attends to the encoder (Luong et al. 2015)."""
    (source, x), (target, y) = _tokens("source"), _tokens("target")
    x, *states = _sequences(layers.LSTM, units, return_state=True)(x)
    y = _sequences(layers.LSTM, units)(y, initial_state=states)
    return keras.Model(
        [source, target], layers.Dense(VOCABULARY)(layers.Concatenate()([y, layers.Attention()([y, x])]))
    )


def translator_additive_attention(units: int) -> keras.Model:
    """Source tokens, target tokens [T] -> logits [T, V]: GRUs and additive attention (Bahdanau et al. 2015)."""
    (source, x), (target, y) = _tokens("source", masked=False), _tokens("target", masked=False)
    x, state = _sequences(layers.GRU, units, return_state=True)(x)
    y = _sequences(layers.GRU, units)(y, initial_state=state)
    context = layers.AdditiveAttention()([y, x])
    return keras.Model([source, target], layers.Dense(VOCABULARY)(layers.Concatenate()([y, context])))


def classifier_gru_attention(units: int) -> keras.Model:
    """Frames [T, F] -> classes: a learnt weighting of a GRU's steps."""
    frames = _frames()
    x = _sequences(layers.GRU, units)(frames)
    weights = layers.Softmax(axis=1)(layers.Dense(1, activation="tanh")(x))
    return keras.Model(frames, _classes(ops.sum(weights * x, axis=1)))


def classifier_multi_head(units: int) -> keras.Model:
    """Frames [T, F] -> classes: a BiLSTM, then multi-head attention with a residual and layer normalisation."""
    frames = _frames()
    x = layers.Bidirectional(_sequences(layers.LSTM, units), merge_mode="sum")(frames)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    return keras.Model(frames, _classes(layers.GlobalAveragePooling1D()(x)))


def ocr_crnn(units: int) -> keras.Model:
    """Image [T, 8, 1], its width first -> classes of every column: CNN, two BiLSTMs, softmax (Shi et al. 2015)."""
    image = keras.Input((None, FRAME, 1), name="image")
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", activation="relu")(image))
    x = layers.Reshape((-1, FRAME // 2 * 4))(layers.MaxPooling2D((1, 2))(x))
    for _ in range(2):
        x = layers.Bidirectional(_sequences(layers.LSTM, units))(x)
    return keras.Model(image, _classes(x))


def speech_deep(units: int) -> keras.Model:
    """Spectrogram [T, 8, 1] -> characters of every other frame: CNN, three BiGRUs, Dense (Deep Speech 2, 2015)."""
    spectrogram = keras.Input((None, FRAME, 1), name="spectrogram")
    x = layers.Conv2D(4, 5, strides=2, padding="same", use_bias=False)(spectrogram)
    x = layers.Reshape((-1, FRAME // 2 * 4))(layers.ReLU()(layers.BatchNormalization()(x)))
    for _ in range(3):
        x = layers.Bidirectional(_sequences(layers.GRU, units))(x)
    return keras.Model(spectrogram, _classes(layers.Dense(2 * units, activation="relu")(x)))


def speech_keyword_gru(units: int) -> keras.Model:
    """Spectrogram frames [T, F] -> keyword: strided convolution, two GRUs."""
    frames = _frames()
    x = layers.Conv1D(units, 5, strides=2, padding="same", activation="relu")(layers.Normalization()(frames))
    return keras.Model(frames, _classes(layers.GRU(units)(_sequences(layers.GRU, units)(x))))


def autoencoder_lstm(units: int) -> keras.Model:
    """Frames [6, F] -> the same frames, through one vector (Srivastava et al. 2015)."""
    frames = _frames(STEPS)
    x = layers.RepeatVector(STEPS)(layers.LSTM(units)(frames))
    return keras.Model(frames, layers.TimeDistributed(layers.Dense(FEATURES))(_sequences(layers.LSTM, units)(x)))


def forecaster_repeat(units: int) -> keras.Model:
    """History [T, F] -> the next 6 values: encoder, `RepeatVector`, decoder."""
    history = _frames(name="history")
    x = layers.RepeatVector(STEPS)(layers.GRU(units)(history))
    return keras.Model(history, layers.TimeDistributed(layers.Dense(1))(_sequences(layers.GRU, units)(x)))


def forecaster_two_inputs(units: int) -> keras.Model:
    """History [T, F] and fixed facts [4] -> value [1]."""
    history, facts = _frames(name="history"), keras.Input((4,), name="facts")
    x = layers.Concatenate()([layers.LSTM(units)(history), layers.Dense(units, activation="relu")(facts)])
    return keras.Model([history, facts], layers.Dense(1)(x))


def forecaster_causal_gru(units: int) -> keras.Model:
    """History [T, F] -> value of every step: dilated causal convolutions before a GRU."""
    x = history = _frames(name="history")
    for dilation in (1, 2):
        x = layers.Conv1D(units, 2, padding="causal", dilation_rate=dilation, activation="relu")(x)
    return keras.Model(history, layers.Dense(1)(_sequences(layers.GRU, units)(x)))


def video_cnn_lstm(units: int) -> keras.Model:
    """Images [T, 8, 8, 1] -> classes: a CNN on every image, an LSTM over them (Donahue et al. 2015)."""
    video, image = keras.Input((None, FRAME, FRAME, 1), name="video"), keras.Input((FRAME, FRAME, 1))
    seen = layers.Flatten()(layers.MaxPooling2D(2)(layers.Conv2D(4, 3, padding="same", activation="relu")(image)))
    return keras.Model(video, _classes(layers.LSTM(units)(layers.TimeDistributed(keras.Model(image, seen))(video))))


def video_conv_lstm(units: int) -> keras.Model:
    """Images [6, 8, 8, 1] -> the next image: ConvLSTM (Shi et al. 2015)."""
    video = keras.Input((STEPS, FRAME, FRAME, 1), name="video")
    x = layers.BatchNormalization()(layers.ConvLSTM2D(4, 3, padding="same")(video))
    return keras.Model(video, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))


def siamese_lstm(units: int) -> keras.Model:
    """Two padded texts [T] -> similarity [1]: one shared encoder (Mueller and Thyagarajan 2016)."""
    tokens, x = _tokens()
    encoder = keras.Model(tokens, layers.LSTM(units)(x))
    texts = [keras.Input((None,), dtype="int32", name=name) for name in ("left", "right")]
    left, right = map(encoder, texts)
    return keras.Model(texts, ops.exp(-ops.sum(ops.abs(left - right), axis=-1, keepdims=True)))


def residual_lstm(units: int) -> keras.Model:
    """Frames [T, F] -> classes: three LSTMs with residuals and layer normalisation (Wu et al. 2016)."""
    frames = _frames()
    x = layers.Dense(units)(frames)
    for _ in range(3):
        x = layers.LayerNormalization()(layers.Add()([x, _sequences(layers.LSTM, units)(x)]))
    return keras.Model(frames, _classes(x[:, -1]))


def mixed_cells(units: int) -> keras.Model:
    """Frames [T, F] -> a class and a value: LSTM, GRU and SimpleRNN in one stack, a head on two of them."""
    frames = _frames()
    x = _sequences(layers.LSTM, units)(frames)
    y = _sequences(layers.GRU, units, reset_after=False)(x)
    return keras.Model(frames, [_classes(layers.SimpleRNN(units)(y)), layers.Dense(1)(x)])


def stateful_lstm(units: int) -> keras.Model:
    """One stream's frames [T, F] -> value of every step, states kept from call to call."""
    frames = keras.Input((None, FEATURES), batch_size=1, name="frames")
    return keras.Model(frames, layers.Dense(1)(_sequences(layers.LSTM, units, stateful=True)(frames)))


_ALL: tuple[Builder, ...] = (
    *(sentiment_lstm, sentiment_bilstm, sentiment_stacked_bigru, text_cnn_lstm, text_bigru_pooled),
    *(document_hierarchical, activity_lstm, activity_stacked_lstm, activity_gru, activity_deep_conv_lstm),
    *(tagger_bilstm, tagger_characters, language_gru, language_stacked_lstm, translator_lstm, translator_bigru),
    *(translator_attention, translator_additive_attention, classifier_gru_attention, classifier_multi_head),
    *(ocr_crnn, speech_deep, speech_keyword_gru, autoencoder_lstm, forecaster_repeat, forecaster_two_inputs),
    *(forecaster_causal_gru, video_cnn_lstm, video_conv_lstm, siamese_lstm, residual_lstm, mixed_cells, stateful_lstm),
)
ARCHITECTURES: Mapping[str, Builder] = {builder.__name__: builder for builder in _ALL}
