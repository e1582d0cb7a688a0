"""Functions of JAX's libraries as people call them: zoo.py runs these too.

CASES: name -> (function, arguments). What has keyword arguments, keys, bodies,
names of dimensions; control flow under vmap, custom derivatives, policies of
checkpoint, indexed updates, segments, attention, ragged products.
"""
import functools

import jax
import jax.ad_checkpoint
import jax.numpy as jnp
import jax.scipy.linalg as sl
import numpy as np
from jax import lax

data = np.random.default_rng(7)


def f(*shape):
    return data.normal(size=shape).astype(np.float32)


def i(high, *shape, low=0):
    return data.integers(low, high, shape).astype(np.int32)


def spd(n, *batch):
    x = f(*batch, n, n)
    return x @ np.swapaxes(x, -1, -2) + n * np.eye(n, dtype=np.float32)


CASES = {}


def case(name, fn, *args):
    assert name not in CASES, name
    CASES[name] = (fn, args)


# ---------------------------------------------------------------- random numbers
KEY = jax.random.key(5)
for _name, _call in {
        "uniform": lambda k, s: jax.random.uniform(k, s, minval=-2, maxval=3), "normal": jax.random.normal, "bernoulli": lambda k, s: jax.random.bernoulli(k, 0.3, s),
        "beta": lambda k, s: jax.random.beta(k, 2.0, 3.0, s), "cauchy": jax.random.cauchy, "dirichlet": lambda k, s: jax.random.dirichlet(k, jnp.array([1.0, 2.0, 0.5]), s),
        "double_sided_maxwell": lambda k, s: jax.random.double_sided_maxwell(k, 0.5, 2.0, s), "exponential": jax.random.exponential, "f": lambda k, s: jax.random.f(k, 3.0, 5.0, s),
        "gamma": lambda k, s: jax.random.gamma(k, 1.7, s), "loggamma": lambda k, s: jax.random.loggamma(k, 0.4, s), "generalized_normal": lambda k, s: jax.random.generalized_normal(k, 1.5, s),
        "geometric": lambda k, s: jax.random.geometric(k, 0.3, s), "gumbel": jax.random.gumbel, "laplace": jax.random.laplace, "logistic": jax.random.logistic,
        "lognormal": lambda k, s: jax.random.lognormal(k, 0.4, s), "maxwell": jax.random.maxwell, "orthogonal": lambda k, s: jnp.abs(jax.random.orthogonal(k, 4, s[:1])),
        "pareto": lambda k, s: jax.random.pareto(k, 2.5, s), "poisson": lambda k, s: jax.random.poisson(k, 4.0, s), "rademacher": jax.random.rademacher,
        "randint": lambda k, s: jax.random.randint(k, s, -7, 23), "randint8": lambda k, s: jax.random.randint(k, s, 0, 9, jnp.int8), "rayleigh": lambda k, s: jax.random.rayleigh(k, 1.5, s),
        "t": lambda k, s: jax.random.t(k, 4.0, s), "triangular": lambda k, s: jax.random.triangular(k, 0.0, 1.0, 3.0, s), "truncated_normal": lambda k, s: jax.random.truncated_normal(k, -1.0, 2.0, s),
        "wald": lambda k, s: jax.random.wald(k, 1.3, s), "weibull_min": lambda k, s: jax.random.weibull_min(k, 1.2, 0.7, s), "bits": lambda k, s: jax.random.bits(k, s, jnp.uint8),
        "bits16": lambda k, s: jax.random.bits(k, s, jnp.uint16), "chisquare": lambda k, s: jax.random.chisquare(k, 3.0, shape=s), "binomial": lambda k, s: jax.random.binomial(k, 10.0, 0.4, s),
        "ball": lambda k, s: jax.random.ball(k, 3, 2, s), "multivariate_normal": lambda k, s: jax.random.multivariate_normal(k, jnp.zeros(3), jnp.eye(3) * 2 + 0.3, s),
        "categorical": lambda k, s: jax.random.categorical(k, jnp.log(jnp.array([0.1, 0.5, 0.4])), shape=s), "choice": lambda k, s: jax.random.choice(k, 17, s),
        "choice_p": lambda k, s: jax.random.choice(k, 6, s, p=jnp.array([0.1, 0.2, 0.3, 0.1, 0.2, 0.1])), "choice_norep": lambda k, s: jax.random.choice(k, 100, s, replace=False),
        "multinomial": lambda k, s: jax.random.multinomial(k, 12.0, jnp.array([0.2, 0.5, 0.3]), shape=(*s, 3))}.items():
    case(f"random.{_name}", lambda x, c=_call: (c(jax.random.fold_in(KEY, x.sum().astype(jnp.int32)), (6, 10)),), i(9, 6, 10))
case("random.split_vmap", lambda x: jax.vmap(lambda k, y: jax.random.normal(k, y.shape) + y)(jax.random.split(KEY, 8), x), f(8, 5))
case("random.keys_in", lambda k, x: jax.random.uniform(jax.random.wrap_key_data(k), x.shape) * x, np.array([3, 4], np.uint32), f(12, 3))
for _impl in ("rbg", "unsafe_rbg"):
    case(f"random.{_impl}", lambda x, n=_impl: jax.random.uniform(jax.random.key(3, impl=n), x.shape) + x, f(8, 6))
case("random.permutation_rows", lambda x: jax.random.permutation(KEY, x, axis=1, independent=True), f(6, 12))
case("random.dropout_scan", lambda x: lax.scan(lambda k, r: (jax.random.split(k)[0], jnp.where(jax.random.bernoulli(k, 0.7, r.shape), r / 0.7, 0)), KEY, x)[1], f(5, 9))

# ---------------------------------------------------------------- indexed reads and updates
for _op in ("set", "add", "multiply", "min", "max", "subtract", "divide", "power"):
    case(f"at.{_op}", lambda x, k, v, o=_op: getattr(x.at[k], o)(v), np.abs(f(9, 6)) + 1, np.array([1, 7, 3, 0], np.int32), np.abs(f(4, 6)) + 0.5)
for _mode in ("drop", "clip", "promise_in_bounds"):
    _hi = 9 if _mode == "promise_in_bounds" else 14
    case(f"at.add_{_mode}", lambda x, k, v, m=_mode: x.at[k].add(v, mode=m), f(9, 6), i(_hi, 7), f(7, 6))
    case(f"at.get_{_mode}", lambda x, k, m=_mode: x.at[k].get(mode=m), f(9, 6), i(_hi, 7, low=0 if _hi == 9 else -14))
case("at.get_fill", lambda x, k: x.at[k, 1].get(mode="fill", fill_value=-3.0), f(9, 6), i(14, 7, low=-14))
case("at.apply", lambda x, k: x.at[k].apply(jnp.tanh), f(9, 6), np.array([1, 4], np.int32))
case("at.two", lambda x, r, c: x.at[r[:, None], c].add(1.0), f(9, 6), i(9, 3), i(6, 2))
case("at.slice_step", lambda x, v: x.at[1::3, ::-1].set(v), f(9, 6), f(3, 6))
case("at.newaxis", lambda x, k: x[None, k, ..., None, ::2], f(9, 6, 4), i(9, 3, low=-9))
case("at.split_advanced", lambda x, k: x[k, :, k], f(6, 5, 6), i(6, 4))
case("at.grad", lambda x, k: jax.grad(lambda y: (y[k] ** 2).sum() + y.at[k].mul(2.0).sum())(x), f(9, 6), i(9, 7))
case("at.bool_gather", lambda x, m: jnp.where(m, x, jnp.nan).at[0].get(), f(9, 6), f(9, 6) > 0)
case("take_along", lambda x, k: jnp.take_along_axis(x, k, axis=1), f(7, 9), i(9, 7, 4))
case("put_along", lambda x, k, v: jnp.put_along_axis(x, k, v, axis=0, inplace=False), f(7, 5), np.array([[1, 2, 0, 4, 6], [3, 0, 5, 1, 2]], np.int32), f(2, 5))
case("take_modes", lambda x, k: (jnp.take(x, k, axis=1, mode="wrap"), jnp.take(x, k, axis=1, mode="clip"), jnp.take(x, k, axis=1, mode="fill")), f(5, 8), i(20, 3, 2, low=-20))
case("vmap_gather", lambda x, k: jax.vmap(lambda a, b: a[b])(x, k), f(6, 9, 2), i(9, 6, 3))
case("vmap_scatter", lambda x, k, v: jax.vmap(lambda a, b, c: a.at[b].add(c))(x, k, v), f(6, 9), i(9, 6, 3), f(6, 3))
case("vmap_dus", lambda x, v, k: jax.vmap(lambda a, b, c: lax.dynamic_update_slice(a, b, (c, 0)))(x, v, k), f(6, 9, 3), f(6, 2, 3), i(12, 6, low=-3))
case("vmap_ds", lambda x, k: jax.vmap(lambda a, c: lax.dynamic_slice(a, (c, 1), (4, 2)))(x, k), f(6, 9, 3), i(12, 6, low=-3))
case("nonzero", lambda x: jnp.nonzero(x > 0, size=12, fill_value=-1), f(5, 7))
case("unique", lambda x: jnp.unique(x, size=9, return_counts=True, return_index=True, return_inverse=True, fill_value=99), i(8, 31))
case("setops", lambda x, y: (jnp.isin(x, y), jnp.intersect1d(x, y, size=5, fill_value=-1), jnp.setdiff1d(x, y, size=6, fill_value=-1)), i(12, 20), i(12, 9))
case("searchsorted", lambda x, y: [jnp.searchsorted(jnp.sort(x), y, side=s, method=m) for s in ("left", "right") for m in ("scan", "sort", "compare_all", "scan_unrolled")], f(33), f(4, 5))
case("digitize", lambda x: jnp.digitize(x, jnp.array([-1.0, 0.0, 0.5, 2.0])), f(6, 10))
case("histogram", lambda x, w: jnp.histogram(x, bins=7, range=(-2, 2), weights=w), f(50), f(50))
case("histogram2d", lambda x, y: jnp.histogram2d(x, y, bins=(3, 4), range=((-2, 2), (-1, 2)))[0], f(50), f(50))
case("interp", lambda x, y, z: jnp.interp(z, jnp.sort(x), y), f(12), f(12), f(6, 5))
case("polyfit", lambda x, y: jnp.polyfit(x, y, 2), f(20), f(20))
case("tril_indices", lambda x: x[jnp.tril_indices(6)], f(6, 6))
case("fill_diagonal", lambda x: jnp.fill_diagonal(x, 3.0, inplace=False), f(6, 8))
case("block", lambda x, y: jnp.block([[x, y], [y * 2, x]]), f(4, 6), f(4, 6))
case("select", lambda x, y: jnp.select([x > 1, x > 0], [y, -y], 0.25), f(6, 10), f(6, 10))
case("repeat", lambda x: (jnp.repeat(x, 3, axis=1), jnp.repeat(x, np.array([1, 0, 2, 4, 1, 1]), axis=0), jnp.tile(x, (2, 1, 2))), f(6, 5))
case("rolls", lambda x: (jnp.roll(x, (1, -2), (0, 1)), jnp.roll(x, 3), jnp.rot90(x), jnp.flip(x, 1)), f(6, 5))
case("roll_dynamic", lambda x, k: jnp.roll(x, k, axis=1), f(6, 10), np.int32(-13))
case("pads", lambda x: [jnp.pad(x, ((2, 1), (0, 3)), mode=m) for m in ("constant", "edge", "reflect", "symmetric", "wrap", "linear_ramp", "mean", "maximum")], f(6, 5))
case("lax_pad", lambda x: (lax.pad(x, 7.0, ((1, 2, 3), (-1, -2, 0))), lax.pad(x, 7.0, ((-2, 0, 1), (3, -4, 2)))), f(6, 5))
case("apply_along", lambda x: jnp.apply_along_axis(lambda r: jnp.cumsum(r) * r[0], 0, x), f(6, 5))

# ---------------------------------------------------------------- sums over segments, sorting
for _n in ("sum", "prod", "min", "max"):
    case(f"segment_{_n}", lambda x, k, g=getattr(jax.ops, f"segment_{_n}"): g(x, k, num_segments=7), f(30, 3), i(9, 30, low=-1))
case("segment_sorted", lambda x, k: jax.ops.segment_sum(x, jnp.sort(k), num_segments=7, indices_are_sorted=True, bucket_size=4), f(30), i(7, 30))
case("segment_grad", lambda x, k: jax.grad(lambda y: (jax.ops.segment_max(y, k, num_segments=7, mode="drop")[jnp.unique(k, size=4)] ** 2).sum())(x), f(30), i(7, 30))
case("sort_multi", lambda a, b, c: lax.sort((a, b, c), num_keys=2, dimension=1), i(3, 6, 11), i(3, 6, 11), f(6, 11))
case("sort_stable_desc", lambda a: (jnp.argsort(a, descending=True, stable=True), jnp.sort(a, axis=0, descending=True)), i(4, 9, 12))
case("sort_nan", lambda a: (jnp.sort(jnp.log(a)), jnp.argsort(jnp.log(a), axis=0), jnp.nanmedian(jnp.log(a), axis=1)), f(9, 12))
case("sort_complex", lambda a, b: jnp.sort(a + 1j * b, axis=1), i(3, 6, 11).astype(np.float32), f(6, 11))
case("sort_grad", lambda a: jax.grad(lambda x: (jnp.sort(x, axis=1) * jnp.arange(11)).sum())(a), f(6, 11))
case("top_k", lambda a: (lax.top_k(a, 3), lax.top_k(a.T, 2), lax.top_k(a.astype(jnp.int32), 4)), f(6, 11) * 3)
case("top_k_grad", lambda a: jax.grad(lambda x: (lax.top_k(x, 3)[0] ** 2).sum())(a), f(6, 11))
case("approx_max_k", lambda a: lax.approx_max_k(a, 3)[0], f(6, 11))
case("arg_reduce", lambda a: (jnp.argmax(a, axis=1), jnp.argmin(a), jnp.nanargmax(jnp.log(a), axis=0), lax.argmax(a, 0, jnp.uint8)), f(6, 11))
case("reduce_pairs", lambda a, b: lax.reduce((a, b), (np.float32(-np.inf), np.int32(0)), lambda p, q: (jnp.maximum(p[0], q[0]), jnp.where(p[0] >= q[0], p[1], q[1])), (1,)), f(6, 11), i(99, 6, 11))
case("reduce_bools", lambda a: (jnp.all(a > -2, 0), jnp.any(a > 2, 1), jnp.count_nonzero(a > 0, 0), lax.reduce_xor((a * 5).astype(jnp.int32), (1,)), lax.reduce_and((a * 5).astype(jnp.int32), (0,))), f(6, 11))
for _n in ("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"):
    case(f"{_n}_reverse", lambda a, g=getattr(lax, _n): (g(a, axis=0, reverse=True), g(a, axis=1)), f(7, 9))
case("cum_grad", lambda a: jax.grad(lambda x: (jnp.cumsum(x, 1) * jnp.cumprod(x, 1)).sum())(a), f(4, 7))
case("nanstats", lambda a: (jnp.nanmean(jnp.log(a), 0), jnp.nanstd(jnp.log(a), 1), jnp.nanmax(jnp.log(a), 1), jnp.percentile(a, 30, axis=0), jnp.quantile(a, 0.4, method="nearest")), f(7, 9))
case("cov_corr", lambda a, w: (jnp.cov(a), jnp.corrcoef(a), jnp.average(a, axis=1, weights=w), jnp.ptp(a, 0)), f(7, 9), np.abs(f(9)))
case("convolve", lambda a, b: [jnp.convolve(a, b, mode=m) for m in ("full", "same", "valid")] + [jnp.correlate(a, b, mode="full")], f(20), f(5))

# ---------------------------------------------------------------- products
for _eq, _shapes in {"ij,jk,kl->il": [(4, 6), (6, 3), (3, 8)], "bij,bjk->bik": [(3, 4, 5), (3, 5, 6)], "bij,bkj->bik": [(3, 4, 5), (3, 6, 5)], "ijk,jil->kl": [(3, 4, 5), (4, 3, 6)],
                     "ii->i": [(6, 6)], "ii": [(6, 6)], "ij->ji": [(4, 6)], "ijk->k": [(3, 4, 5)], "i,j->ij": [(7,), (5,)], "bhqd,bhkd->bhqk": [(2, 3, 4, 5), (2, 3, 6, 5)],
                     "...ij,...jk->...ik": [(2, 3, 4, 5), (3, 5, 2)], "abcd,cdef->abef": [(2, 3, 4, 5), (4, 5, 3, 2)], "aab,bc->ac": [(4, 4, 3), (3, 5)], "ijj->i": [(3, 5, 5)],
                     "bi,bi->b": [(6, 7), (6, 7)], "i,i": [(9,), (9,)], "ijkl,lm,kn->ijmn": [(2, 3, 4, 5), (5, 6), (4, 2)], "bcij,cij->b": [(6, 2, 3, 4), (2, 3, 4)], "ij,ij->ij": [(5, 6), (5, 6)]}.items():
    case(f"einsum.{_eq}", lambda *xs, e=_eq: jnp.einsum(e, *xs), *[f(*s) for s in _shapes])
case("einsum_grad", lambda a, b, c: jax.grad(lambda *x: (jnp.einsum("bij,jk,bkl->il", *x) ** 2).sum(), (0, 1, 2))(a, b, c), f(3, 4, 5), f(5, 6), f(3, 6, 2))
case("tensordot", lambda a, b: (jnp.tensordot(a, b, ((1, 2), (1, 0))), jnp.vdot(a, a), jnp.inner(a, a), jnp.outer(a[0], b[0])), f(3, 4, 5), f(5, 4, 6))
case("matvec", lambda a, b: (jnp.matvec(a, b), jnp.vecmat(b[:4], a), jnp.vecdot(b, b), jnp.kron(a, b), jnp.cross(a[:, :3], a[:, 2:5])), f(4, 6), f(6))
case("preferred", lambda a, b: (lax.dot(a.astype(jnp.bfloat16), b.astype(jnp.bfloat16), preferred_element_type=jnp.float32), jnp.matmul(a.astype(jnp.int8), b.astype(jnp.int8), preferred_element_type=jnp.int32)), f(6, 10) * 3, f(10, 4) * 3)
case("ragged_dot", lambda x, w, g: lax.ragged_dot(x, w, g), f(24, 5), f(4, 5, 6), np.array([6, 0, 11, 7], np.int32))
case("ragged_grad", lambda x, w, g: jax.grad(lambda a, b: (lax.ragged_dot(a, b, g) ** 2).sum(), (0, 1))(x, w), f(24, 5), f(4, 5, 6), np.array([6, 0, 11, 7], np.int32))
case("ragged_general", lambda x, w, g: lax.ragged_dot_general(x, w, g, lax.RaggedDotDimensionNumbers((((0,), (0,)), ((), ())), [0], [])), f(24, 5), f(24, 6), np.array([6, 0, 11, 7], np.int32))
case("complex_matmul", lambda a, b: (a + 1j * b) @ (b.T - 2j * a.T), f(5, 7), f(5, 7))

# ---------------------------------------------------------------- attention, normalization, losses
Q, K = f(2, 6, 4, 8), f(2, 9, 2, 8)
for _n, _kw in {"plain": {}, "causal": {"is_causal": True}, "window": {"local_window_size": (2, 1)}, "scale": {"scale": 0.3}}.items():
    case(f"attention.{_n}", lambda q, k, v, kw=_kw: jax.nn.dot_product_attention(q, k, v, **kw), Q, K, f(2, 9, 2, 8))
case("attention.mask_bias", lambda q, k, b, m: jax.nn.dot_product_attention(q, k, k, bias=b, mask=m > 0), Q, K, f(2, 4, 6, 9), f(1, 4, 6, 9))
case("attention.lengths", lambda q, k, n: jax.nn.dot_product_attention(q, k, k, query_seq_lengths=n, key_value_seq_lengths=n), Q, K, np.array([3, 6], np.int32))
case("attention.grad", lambda q, k: jax.grad(lambda a, b: (jax.nn.dot_product_attention(a, b, b, is_causal=True) ** 2).sum(), (0, 1))(q, k), Q, K)
for _n in ("celu", "elu", "gelu", "glu", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "log_sigmoid", "log_softmax", "logsumexp", "mish", "relu6", "selu", "sigmoid", "silu", "soft_sign", "softmax", "softplus", "sparse_plus", "sparse_sigmoid", "squareplus", "standardize", "tanh"):
    case(f"nn.{_n}_grad", lambda x, g=getattr(jax.nn, _n): (g(x), jax.grad(lambda y: (g(y) ** 2).sum())(x), jax.jvp(g, (x,), (x * 2,))[1]), f(6, 10))
case("nn.softmax_where", lambda x, m: (jax.nn.softmax(x, axis=0, where=m > 0), jax.nn.logsumexp(x, axis=1, b=m, return_sign=True)), f(6, 10), f(6, 10))
case("nn.one_hot", lambda k: (jax.nn.one_hot(k, 7), jax.nn.one_hot(k, 7, axis=0, dtype=jnp.int32)), i(9, 6, 4, low=-1))

# ---------------------------------------------------------------- linear algebra
A, S = f(3, 6, 6), spd(6, 3)
for _n, _fn in {"det": jnp.linalg.det, "slogdet": jnp.linalg.slogdet, "inv": jnp.linalg.inv, "pinv": jnp.linalg.pinv, "matrix_power": lambda a: jnp.linalg.matrix_power(a, -2), "expm": lambda a: sl.expm(a * 0.3),
                "norms": lambda a: [jnp.linalg.norm(a, ord=o, axis=(1, 2)) for o in ("fro", "nuc", 1, 2, np.inf)], "qr": lambda a: jnp.abs(jnp.linalg.qr(a)[1]), "lstsq": lambda a: jnp.linalg.lstsq(a[0], a[1])[0],
                "lu": lambda a: sl.lu(a), "lu_solve": lambda a: sl.lu_solve(sl.lu_factor(a), a[:, :, :2]), "matrix_rank": jnp.linalg.matrix_rank, "cond": jnp.linalg.cond, "multi_dot": lambda a: jnp.linalg.multi_dot([a[0], a[1], a[2]]),
                "tensorsolve": lambda a: jnp.linalg.tensorsolve(a[0], a[1, 0]), "eigvals": lambda a: jnp.sort(jnp.abs(jnp.linalg.eigvals(a))), "schur": lambda a: jnp.abs(jnp.diag(sl.schur(a[0] + a[0].T)[0])).sum(), "hessenberg": lambda a: jnp.abs(sl.hessenberg(a)),
                "toeplitz": lambda a: sl.toeplitz(a[0, 0], a[1, 0]), "block_diag": lambda a: sl.block_diag(a[0], a[1, :2], a[2])}.items():
    case(f"linalg.{_n}", _fn, A)
for _n, _fn in {"cholesky": jnp.linalg.cholesky, "cho_solve": lambda a: sl.cho_solve(sl.cho_factor(a), a[:, :, :3]), "eigh": lambda a: (jnp.linalg.eigh(a)[0], jnp.abs(jnp.linalg.eigh(a)[1])), "svd": lambda a: (jnp.linalg.svd(a)[1], jnp.abs(jnp.linalg.svd(a, full_matrices=False)[2])),
                "sqrtm": lambda a: jnp.real(sl.sqrtm(a[0])), "chol_grad": jax.grad(lambda a: jnp.log(jnp.diagonal(jnp.linalg.cholesky(a), axis1=1, axis2=2)).sum()), "solve_grad": jax.grad(lambda a: (jnp.linalg.solve(a, a[:, :, :1] * 2) ** 2).sum()),
                "eigh_grad": jax.grad(lambda a: (jnp.linalg.eigh(a)[0] ** 2).sum()), "svd_grad": jax.grad(lambda a: jnp.linalg.svd(a, compute_uv=False).sum()), "tri_solve": lambda a: [lax.linalg.triangular_solve(a, a, left_side=l, lower=w, transpose_a=t, unit_diagonal=u) for l in (0, 1) for w in (0, 1) for t in (0, 1) for u in (0,)],
                "tridiagonal": lambda a: lax.linalg.tridiagonal_solve(a[0, 0] * 0, a[0, 1] * 0 + 3, a[0, 2] * 0.1, a[0, :, :2])}.items():
    case(f"linalg.{_n}", _fn, S)

# ---------------------------------------------------------------- transforms, windows, convolutions
X = f(2, 8, 6)
for _n in ("fft", "ifft", "rfft", "hfft", "ihfft"):
    case(f"fft.{_n}", lambda x, g=getattr(jnp.fft, _n): [g(x, n=n, axis=a, norm=m) for n, a, m in ((None, -1, None), (5, 1, "ortho"), (9, 0, "forward"))], X)
case("fft.nd", lambda x: (jnp.fft.fftn(x), jnp.fft.ifft2(x), jnp.fft.rfftn(x, axes=(2, 0)), jnp.fft.irfftn(x.astype(jnp.complex64)), jnp.fft.fftshift(x), jnp.fft.ifftshift(x, 1)), X)
case("fft.grad", lambda x: jax.grad(lambda y: (jnp.abs(jnp.fft.rfft2(y)) ** 2).sum())(x), X)
case("fft.dct", lambda x: (jax.scipy.fft.dct(x, norm="ortho"), jax.scipy.fft.idctn(x)), X)
case("signal", lambda x: (jax.scipy.signal.convolve(x[0], x[1, :3, :2]), jax.scipy.signal.fftconvolve(x[0], x[1], mode="same"), jax.scipy.signal.detrend(x), jnp.abs(jax.scipy.signal.stft(x[0, :, 0], nperseg=4)[2])), X)
for _n, _kw in {"same": dict(padding="SAME"), "strides": dict(window_strides=(2, 3), padding="VALID"), "dilated": dict(padding=((2, 1), (0, 3)), lhs_dilation=(2, 1), rhs_dilation=(1, 2)),
                "groups": dict(padding="SAME", feature_group_count=2), "batch_groups": dict(padding="SAME", batch_group_count=2), "cropped": dict(padding=((-1, 2), (1, -2)))}.items():
    for _d in (("NCHW", "OIHW", "NCHW"), ("NHWC", "HWIO", "NHWC"), ("CHWN", "IHWO", "HWNC")):
        _x, _k = {"NCHW": (f(4, 4, 7, 8), f(6, 2 if "groups" == _n else 4, 3, 2)), "NHWC": (f(4, 7, 8, 4), f(3, 2, 2 if "groups" == _n else 4, 6)), "CHWN": (f(4, 7, 8, 4), f(2 if "groups" == _n else 4, 3, 2, 6))}[_d[0]]

        def _conv(x, k, kw=_kw, d=_d):
            g = functools.partial(lax.conv_general_dilated, dimension_numbers=d, **{"window_strides": (1, 1)} | kw)
            return g(x, k), *jax.grad(lambda a, b: (g(a, b) ** 2).sum(), (0, 1))(x, k)
        case(f"conv.{_n}.{_d[0]}", _conv, _x, _k)
case("conv.transpose", lambda x, k: lax.conv_transpose(x, k, (2, 3), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")), f(2, 5, 4, 3), f(3, 4, 3, 5))
case("conv.local", lambda x, k: lax.conv_general_dilated_local(x, k, (1, 1), "VALID", (2, 2)), f(2, 3, 5, 4), f(6, 12, 4, 3))
case("conv.patches", lambda x: lax.conv_general_dilated_patches(x, (2, 3), (1, 2), "SAME"), f(2, 3, 5, 4))
case("conv.1d3d", lambda x, y: (lax.conv(x, y, (2,), "SAME"), lax.conv(x[:, :, :, None, None] + jnp.zeros((1, 1, 1, 3, 2)), y[:, :, :, None, None] * jnp.ones((1, 1, 1, 2, 2)), (1, 1, 1), "VALID")), f(4, 3, 9), f(5, 3, 4))
for _n, _op, _init in (("max", lax.max, -np.inf), ("min", lax.min, np.inf), ("add", lax.add, 0.0)):
    case(f"window.{_n}", lambda x, o=_op, n=_init: (lax.reduce_window(x, np.float32(n), o, (1, 3, 2), (1, 2, 1), "SAME"), lax.reduce_window(x, np.float32(n), o, (2, 3, 1), (1, 1, 1), ((0, 1), (2, 0), (0, 0)), (1, 2, 1), (1, 1, 2))), f(3, 9, 6))
    case(f"window.{_n}_grad", lambda x, o=_op, n=_init: jax.grad(lambda y: (lax.reduce_window(y, np.float32(n), o, (1, 3, 2), (1, 2, 1), "SAME") ** 2).sum())(x), f(3, 9, 6))
case("window.general", lambda x: lax.reduce_window(x, np.float32(1), lambda a, b: a * b + 0.0, (1, 3), (1, 1), "VALID"), f(4, 9))
case("image", lambda x: [jax.image.resize(x, (2, 7, 13), m) for m in ("nearest", "linear", "cubic", "lanczos3")], f(2, 9, 6))
case("image.scale", lambda x: jax.image.scale_and_translate(x, (2, 8, 8), (1, 2), jnp.array([0.7, 1.3]), jnp.array([0.4, -1.0]), "linear"), f(2, 9, 6))
case("map_coordinates", lambda x, c: [jax.scipy.ndimage.map_coordinates(x, [c[0] * 3, c[1] * 3], order=o, mode=m) for o in (0, 1) for m in ("nearest", "wrap", "mirror", "constant", "reflect")], f(9, 6), f(2, 12))

# ---------------------------------------------------------------- control flow and transformations
case("while_vmapped", lambda x: jax.vmap(lambda v: lax.while_loop(lambda c: (c[0] < 9) & (jnp.abs(c[1]).sum() < 30), lambda c: (c[0] + 1, c[1] * 1.5), (0, v)))(x), f(7, 4))
case("cond_vmapped", lambda x: jax.vmap(lambda v: lax.cond(v.sum() > 0, lambda y: jnp.sin(y), lambda y: y * y + v[0], v))(x), f(7, 4))
case("switch", lambda k, x: (lax.switch(k[0], [lambda y: y, lambda y: y * 2, lambda y: y.sum() + y], x), jax.vmap(lambda j, v: lax.switch(j, [jnp.sin, jnp.cos, jnp.tanh], v))(k, x)), i(5, 7, low=-1), f(7, 4))
case("fori_dynamic", lambda n, x: lax.fori_loop(n[0], n[1], lambda t, c: c * 0.9 + x[t % 5], jnp.zeros(4)), np.array([2, 9], np.int32), f(5, 4))
case("nested_loops", lambda x: lax.fori_loop(0, 3, lambda a, c: lax.while_loop(lambda z: z[0] < a + 2, lambda z: (z[0] + 1, lax.cond(z[0] % 2 == 0, lambda y: y + x, lambda y: y * 0.5, z[1])), (0, c))[1], x), f(6, 5))
case("scan_of_scan", lambda x, w: lax.scan(lambda h, r: (lax.scan(lambda g, q: (jnp.tanh(g @ w + q), g.sum()), h, r)), jnp.zeros(4), x), f(3, 5, 4), f(4, 4))
case("scan_reverse_grad", lambda x, w: jax.grad(lambda u: lax.scan(lambda h, r: (jnp.tanh(h @ u + r), h), jnp.zeros((2, 4)), x, reverse=True)[1].sum())(w), f(5, 2, 4), f(4, 4))
case("scan_unrolled", lambda x: lax.scan(lambda c, r: (c + r, c * r), jnp.zeros(4), x, unroll=3), f(8, 4))
case("scan_tree", lambda x, y: lax.scan(lambda c, r: ({"a": c["a"] + r[0], "n": c["n"] + 1}, (r[1] * c["a"], c["n"])), {"a": jnp.zeros(4), "n": 0}, (x, y)), f(6, 4), f(6, 4))
case("map_batched", lambda x: lax.map(lambda r: jnp.outer(r, r).sum(0), x, batch_size=3), f(7, 4))
case("associative_scan", lambda x: (lax.associative_scan(jnp.matmul, x * 0.5), lax.associative_scan(jnp.maximum, x[:, 0], reverse=True, axis=1), lax.associative_scan(lambda a, b: (a[0] * b[0], b[0] * a[1] + b[1]), (x[:, 0], x[:, 1]))[1]), f(9, 3, 3))
for _n in ("everything_saveable", "nothing_saveable", "dots_saveable", "dots_with_no_batch_dims_saveable"):
    case(f"checkpoint.{_n}", lambda x, w, p=getattr(jax.checkpoint_policies, _n): jax.grad(lambda u: lax.scan(jax.checkpoint(lambda h, v: (jnp.sin(h @ v) @ v.T, None), policy=p), x, u)[0].sum())(w), f(6, 4), f(3, 4, 5))
case("checkpoint.names", lambda x, w: jax.grad(lambda u: jax.checkpoint(lambda h, v: jnp.sin(jax.ad_checkpoint.checkpoint_name(h @ v, "kept")).sum(), policy=jax.checkpoint_policies.save_only_these_names("kept"))(x, u))(w), f(6, 4), f(4, 5))


@jax.custom_vjp
def clipped(x):
    return jnp.clip(x, -1, 1) * 2


clipped.defvjp(lambda x: (clipped(x), x), lambda x, g: (jnp.where(jnp.abs(x) < 1, g * 2, g * 0.1),))


@jax.custom_jvp
def log1pexp(x):
    return jnp.log1p(jnp.exp(x))


log1pexp.defjvp(lambda p, t: (log1pexp(p[0]), jax.nn.sigmoid(p[0]) * t[0]))
case("custom_vjp", lambda x: jax.grad(lambda y: (clipped(y @ y.T) ** 2).sum())(x), f(6, 4))
case("custom_jvp", lambda x: (jax.jvp(log1pexp, (x,), (x,)), jax.vmap(jax.grad(log1pexp))(x[:, 0]), jax.hessian(lambda y: log1pexp(y).sum())(x[0])), f(6, 4))
case("jacobians", lambda x, w: (jax.jacfwd(lambda y: jnp.tanh(w @ y))(x), jax.jacrev(lambda y: jnp.tanh(w @ y))(x), jax.hessian(lambda y: (jnp.tanh(w @ y) ** 2).sum())(x)), f(4), f(6, 4))
case("linearize", lambda x: jax.linearize(lambda y: jnp.sin(y) @ y.T, x)[1](x * 2), f(6, 4))
case("vjp_complex", lambda a, b: jax.vjp(lambda z: jnp.exp(z) * z, a + 1j * b)[1](b + 1j * a), f(6, 4), f(6, 4))
case("implicit", lambda a, b: jax.grad(lambda m: lax.custom_root(lambda y: m @ y - b + 0.1 * y ** 3, jnp.zeros(6), lambda g, y: lax.fori_loop(0, 8, lambda _, z: z - jnp.linalg.solve(jax.jacobian(g)(z), g(z)), y), lambda g, y: jnp.linalg.solve(jax.jacobian(g)(y), y)).sum())(a), spd(6), f(6))
case("cg", lambda a, b: jax.scipy.sparse.linalg.cg(lambda v: a @ v, b, maxiter=12)[0], spd(6), f(6))
case("gmres", lambda a, b: jax.scipy.sparse.linalg.gmres(a, b, maxiter=2, solve_method="batched")[0], spd(6), f(6))
case("minimize", lambda x: jax.scipy.optimize.minimize(lambda y: ((y - jnp.arange(4)) ** 2).sum(), x, method="BFGS").x, f(4))
case("odeint", lambda x: jax.experimental.ode.odeint(lambda y, t: -y * t, x, jnp.linspace(0, 1, 4)) if hasattr(jax.experimental, "ode") else x, f(4))
case("bessel", lambda x: (jax.scipy.special.bessel_jn(x, v=4, n_iter=20), jax.scipy.special.i0(x), jax.scipy.special.i1e(x)), np.abs(f(7)) + 0.5)
case("special2", lambda a, b: (jax.scipy.special.betainc(a, b, 0.3), jax.scipy.special.gammainc(a, b), jax.scipy.special.gammaincc(a, b), jax.scipy.special.zeta(a + 1.5, b), jax.scipy.special.polygamma(2, a), jax.scipy.special.hyp1f1(a, b, 0.5)), np.abs(f(5, 4)) + 0.3, np.abs(f(5, 4)) + 0.3)
case("special_grads", lambda a, b: jax.grad(lambda x, y: (jax.scipy.special.gammainc(x, y) + jax.scipy.special.betaln(x, y) + jax.scipy.special.xlogy(x, y)).sum(), (0, 1))(a, b), np.abs(f(5, 4)) + 0.3, np.abs(f(5, 4)) + 0.3)
case("bits", lambda x: (lax.population_count(x), lax.clz(x), jnp.bitwise_count(x), x << 3, x >> 2, jnp.invert(x), lax.shift_right_logical(x, 5), jnp.packbits(x > 0, axis=1), jnp.unpackbits(x.astype(jnp.uint8), axis=0), lax.bitcast_convert_type(x, jnp.float32), x.view(jnp.int8)), i(2**30, 6, 8, low=-2**30))
case("casts", lambda x: [x.astype(t).astype(jnp.float32) for t in (jnp.bfloat16, jnp.float16, jnp.int8, jnp.uint8, jnp.bool_, jnp.float8_e4m3fn, jnp.float8_e5m2, jnp.int4, jnp.uint4, jnp.float8_e4m3b11fnuz)], np.clip(np.abs(f(6, 10)) * 3, 0, 7))
case("frexp", lambda x: (jnp.frexp(x), jnp.ldexp(x, 3), jnp.modf(x), jnp.nextafter(x, x + 1), jnp.spacing(x), lax.reduce_precision(x, 5, 3), jnp.signbit(x), jnp.copysign(x, -x)), f(6, 10) * 100)
case("integer_division", lambda a, b: (a // b, a % b, jnp.fmod(a, b), lax.div(a, b), lax.rem(a, b), jnp.gcd(a, b), jnp.lcm(a, b), jnp.float_power(jnp.abs(a), 2)), i(40, 6, 8, low=-40), i(9, 6, 8, low=1))
case("barrier", lambda x: lax.optimization_barrier((x + 1, x.sum())), f(6, 10))
case("donated_tree", lambda p, g: jax.tree.map(lambda a, b: a - 0.1 * b, {"w": p, "b": p[0]}, {"w": g, "b": g[1]}), f(6, 10), f(6, 10))
case("expand", lambda x: (lax.expand_dims(x, (0, 2)), lax.collapse(x, 0, 2), lax.broadcast(x, (3,)), lax.rev(x, (0,)), jnp.moveaxis(x[None], 0, 2), jnp.swapaxes(x, 0, 1).ravel(order="F"), jnp.diagonal(x, 1), jnp.trace(x, -1), jnp.tri(4, 5) + x[:4, :5]), f(6, 10))
case("lax_slices", lambda x, k: (lax.slice(x, (1, 2), (6, 9), (2, 3)), lax.dynamic_index_in_dim(x, k, 1, keepdims=False), lax.dynamic_update_index_in_dim(x, x[:, 0], k, 1), lax.index_take(x, (jnp.array([1, 4, 2]),), (0,)), lax.slice_in_dim(x, -3, None, axis=1)), f(6, 10), np.int32(11))
case("clamp_select", lambda x, p: (lax.clamp(-0.5, x, 0.7), lax.select(p > 0, x, -x), lax.select_n((p > 0).astype(jnp.int32) + (p > 1), x, x * 2, x * 3), jnp.clip(x, None, p)), f(6, 10), f(6, 10))
case("bincount_weights", lambda x, w: jnp.bincount(x, weights=w, length=6), i(9, 40), f(40))
case("trapezoid", lambda x: (jnp.trapezoid(x, dx=0.3, axis=0), jnp.gradient(x, axis=1), jnp.diff(x, n=2, axis=0), jnp.ediff1d(x), jnp.unwrap(x * 4), jnp.vander(x[0], 4)), f(6, 10))
case("logic", lambda a, b: (jnp.logaddexp(a, b), jnp.logaddexp2(a, b), jnp.heaviside(a, b), jnp.hypot(a, b), jnp.sinc(a), jnp.arctan2(a, b), jnp.isclose(a, b, 0.5), jnp.array_equal(a, b), jnp.deg2rad(a), jnp.cbrt(a)), f(6, 10), f(6, 10))
case("shape_poly_like", lambda x: x.reshape(2, -1, 5).transpose(2, 0, 1).reshape(-1, 3), f(6, 10))
