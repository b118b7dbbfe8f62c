"""The operations of Table 1 once more, with Python loops and the `math` module; numpy only holds numbers.

Written from the formulas, not from the code under test. `TRANSFORMS`, `DISTANCES` and `WEIGHTS` map names to
functions of numpy arrays; `drop` and `mask` also take the uniform numbers that decide what is kept.
"""

import math
from itertools import product

import numpy as np

EPS = 1e-6


def elementwise(function):
    def apply(x):
        out = np.empty_like(x)
        for index in np.ndindex(x.shape):
            out[index] = function(float(x[index]))
        return out

    return apply


def along(axes, function):
    """Applies a function from list to equally long list to every slice over the axes, in reading order."""

    def apply(x):
        over = axes(x) if callable(axes) else axes
        out = np.empty_like(x)
        rest = [range(1) if a in over else range(n) for a, n in enumerate(x.shape)]
        for start in product(*rest):
            ranges = [range(n) if a in over else [start[a]] for a, n in enumerate(x.shape)]
            places = list(product(*ranges))
            for place, value in zip(places, function([float(x[p]) for p in places]), strict=True):
                out[place] = value
        return out

    return apply


def normalise(values):
    norm = math.hypot(*values)
    return [v / (norm or EPS) for v in values]


def softmax(values):
    top = max(values)
    weights = [math.exp(v - top) for v in values]
    return [w / sum(weights) for w in weights]


def logsoftmax(values):
    top = max(values)
    log_sum = top + math.log(sum(math.exp(v - top) for v in values))
    return [v - log_sum for v in values]


def standardise(values):
    mean = sum(values) / len(values)
    var = sum((v - mean) ** 2 for v in values) / len(values)
    return [(v - mean) / math.sqrt(var + 1e-5) for v in values]


def stretch(values):
    return [(v - min(values)) / (max(values) - min(values) or EPS) for v in values]


def all_but_n(x):
    return tuple(range(1, x.ndim))


def softplus(v):
    return max(v, 0.0) + math.log1p(math.exp(-abs(v)))


def sigmoid(v):
    return 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v))


def max_pool(x, r):
    N, C, H, W = x.shape
    h, w = -(-H // r), -(-W // r)
    out = np.empty((N, C, h, w))
    for n, c, i, j in np.ndindex(N, C, h, w):
        out[n, c, i, j] = max(
            x[n, c, a, b] for a in range(i * r, min(i * r + r, H)) for b in range(j * r, min(j * r + r, W))
        )
    return out


def flatten(x):
    out = np.empty((x.shape[0], int(np.prod(x.shape[1:]))))
    for n in range(x.shape[0]):
        for d, index in enumerate(np.ndindex(x.shape[1:])):
            out[n, d] = x[(n, *index)]
    return out


def rows(x):
    N, C, H, W = x.shape
    out = np.empty((N, C, H * W))
    for n, c, i, j in np.ndindex(N, C, H, W):
        out[n, c, i * W + j] = x[n, c, i, j]
    return out


def multi_scale(x):
    parts = [flatten(max_pool(x, r)) for r in (1, 2, 4) if r <= min(x.shape[2:])]
    return np.array([[v for part in parts for v in part[n]] for n in range(x.shape[0])])


def local(r):
    def cut(x):
        N, C, H, W = x.shape
        h, w = -(-H // r), -(-W // r)
        out = np.zeros((N, C * r * r, h * w))
        for n, c, y, z in np.ndindex(N, C, H, W):
            window, place = (y // h) * r + z // w, (y % h) * w + z % w
            out[n, c * r * r + window, place] = x[n, c, y, z]
        return out

    return cut


def satt(x):
    N, C, H, W = x.shape
    out = np.empty_like(x)
    for n in range(N):
        energy = [sum(abs(x[n, c, i, j]) for c in range(C)) / C / 0.5 for i in range(H) for j in range(W)]
        share = softmax(energy)
        for c, i, j in np.ndindex(C, H, W):
            out[n, c, i, j] = x[n, c, i, j] * math.sqrt(H * W * share[i * W + j])
    return out


def catt(x):
    out = np.empty_like(x)
    C = x.shape[1]
    for n in range(x.shape[0]):
        energy = []
        for c in range(C):
            values = [abs(float(v)) for v in np.atleast_1d(x[n, c]).ravel()]
            energy.append(sum(values) / len(values) / 0.5)
        share = softmax(energy)
        for c in range(C):
            out[n, c] = x[n, c] * math.sqrt(C * share[c])
    return out


def natt(x):
    N = x.shape[0]
    flat = flatten(x)
    share = softmax([sum(abs(v) for v in row) / len(row) / 0.5 for row in flat])
    out = np.empty_like(x)
    for n in range(N):
        out[n] = x[n] * math.sqrt(N * share[n])
    return out


def bmm(x):
    N, C, H, W = x.shape
    out = np.zeros((N, C, C))
    for n, a, b, i, j in np.ndindex(N, C, C, H, W):
        out[n, a, b] += x[n, a, i, j] * x[n, b, i, j] / (H * W)
    return out


def mm(x):
    flat = flatten(x)
    N, D = flat.shape
    out = np.zeros((N, N))
    for a, b, d in np.ndindex(N, N, D):
        out[a, b] += flat[a, d] * flat[b, d] / D
    return out


def drop(x, uniform):
    out = np.empty_like(x)
    for n, c, i, j in np.ndindex(x.shape):
        out[n, c, i, j] = x[n, c, i, j] / 0.9 if uniform[n, c, 0, 0] >= 0.1 else 0.0
    return out


def mask(x, uniform):
    out = np.empty_like(x)
    for n, c, i, j in np.ndindex(x.shape):
        out[n, c, i, j] = x[n, c, i, j] if uniform[n, 0, i, j] < 0.35 else 0.0
    return out


TRANSFORMS = {
    "batchnorm": along(lambda x: (0, 2, 3) if x.ndim == 4 else (0,), standardise),
    "minmax": along(all_but_n, stretch),
    "norm_hw": along((2, 3), normalise),
    "norm_c": along((1,), normalise),
    "norm_n": along((0,), normalise),
    "softmax_hw": along((2, 3), softmax),
    "softmax_c": along((1,), softmax),
    "softmax_n": along((0,), softmax),
    "logsoftmax_hw": along((2, 3), logsoftmax),
    "logsoftmax_c": along((1,), logsoftmax),
    "logsoftmax_n": along((0,), logsoftmax),
    "exp": elementwise(lambda v: math.exp(min(v, 10))),
    "mish": elementwise(lambda v: v * math.tanh(softplus(v))),
    "leaky": elementwise(lambda v: v if v > 0 else 0.01 * v),
    "relu": elementwise(lambda v: max(v, 0.0)),
    "tanh": elementwise(math.tanh),
    "sigmoid": elementwise(sigmoid),
    "pow2": elementwise(lambda v: v * v),
    "pow4": elementwise(lambda v: v * v * v * v),
    "log": elementwise(lambda v: math.copysign(math.log1p(abs(v)), v)),
    "sqrt": elementwise(lambda v: math.copysign(math.sqrt(abs(v) + EPS) - math.sqrt(EPS), v)),
    "scale": elementwise(lambda v: (v + 1) / 2),
    "multi_scale": multi_scale,
    "scale_r1": lambda x: max_pool(x, 1),
    "scale_r2": lambda x: max_pool(x, 2),
    "local_r1": local(1),
    "local_r2": local(2),
    "local_r4": local(4),
    "batch": flatten,
    "channel": rows,
    "drop": drop,
    "mask": mask,
    "satt": satt,
    "catt": catt,
    "natt": natt,
    "no": elementwise(lambda v: v),
    "bmm": bmm,
    "mm": mm,
}


def mean_of(function):
    def apply(s, t):
        s, t = flatten(s), flatten(t)
        return [sum(function(a - b) for a, b in zip(u, v, strict=True)) / len(u) for u, v in zip(s, t, strict=True)]

    return apply


def kl(s, t, tau):
    out = []
    for n in range(s.shape[0]):
        lines = [(s[n], t[n])] if s.ndim == 2 else [(s[n, r], t[n, r]) for r in range(s.shape[1])]
        total = 0.0
        for a, b in lines:
            p, q = logsoftmax([v / tau for v in b]), logsoftmax([v / tau for v in a])
            total += sum(math.exp(x) * (x - y) for x, y in zip(p, q, strict=True))
        out.append(tau * tau * total / len(lines))
    return out


def hard(s, t):
    out = []
    for a, b in zip(s, t, strict=True):
        winner = max(range(len(b)), key=lambda k: b[k])
        out.append(-logsoftmax([float(v) for v in a])[winner])
    return out


def cosine_of(a, b):
    return sum(x * y for x, y in zip(normalise(a), normalise(b), strict=True))


def centre(values):
    mean = sum(values) / len(values)
    return [v - mean for v in values]


def pearson_of(a, b):
    return cosine_of(centre(a), centre(b))


def per_sample(similarity):
    def apply(s, t):
        return [1 - similarity(list(a), list(b)) for a, b in zip(flatten(s), flatten(t), strict=True)]

    return apply


def correlation(s, t):
    s, t = flatten(s), flatten(t)
    found = []
    for d in range(s.shape[1]):
        a, b = [float(v) for v in s[:, d]], [float(v) for v in t[:, d]]
        if max(a) > min(a) and max(b) > min(b):
            a, b = centre(a), centre(b)
            norms = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(y * y for y in b))
            found.append(sum(x * y for x, y in zip(a, b, strict=True)) / norms)
    value = 1 - sum(found) / len(found) if found else 1.0
    return [value] * s.shape[0]


DISTANCES = {
    "l1": mean_of(abs),
    "l2": mean_of(lambda d: d * d),
    "smooth_l1": mean_of(lambda d: d * d / 2 if abs(d) < 1 else abs(d) - 0.5),
    "kl": kl,
    "hard": hard,
    "cosine": per_sample(cosine_of),
    "pearson": per_sample(pearson_of),
    "correlation": correlation,
}


def w_entropy(s, t, y):
    out = []
    for row in t:
        entropy = -sum(math.exp(v) * v for v in logsoftmax([float(v) for v in row]))
        out.append(1 - entropy / math.log(len(row)) if len(row) > 1 else 1.0)
    return out


WEIGHTS = {
    "w_entropy": w_entropy,
    "w_focal": lambda s, t, y: [(1 - softmax([float(v) for v in row])[k]) ** 2 for row, k in zip(s, y, strict=True)],
    "w_sim": lambda s, t, y: [(1 + cosine_of(list(a), list(b))) / 2 for a, b in zip(s, t, strict=True)],
    "w_conf": lambda s, t, y: [max(softmax([float(v) for v in row])) for row in t],
    "w_no": lambda s, t, y: [1.0] * len(s),
}
