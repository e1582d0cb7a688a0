"""Small programs, one per op class and per feature of propagation, whose
shardings must equal those of Shardy's own propagation (jaxlib carries it).

  python shardy_features.py [--shoal-opt PATH] [--only REGEX] [--verbose]

Each program goes through Shardy's basic, aggressive, op-priority and
user-priority strategies; where these agree with one another, Shoal must agree
with them, and everywhere it is compared with user priorities, the one that
Shoal follows.
"""
import argparse
import re
import sys
import tempfile
from pathlib import Path

import compare_with_shardy as base
from jaxlib.mlir import ir
from jaxlib.mlir.passmanager import PassManager
from jax._src.interpreters import mlir as jax_mlir

MESH = 'sdy.mesh @m = <["a"=2, "b"=2, "c"=2, "d"=4]>\n'
STRATEGIES = ["basic", "aggressive", "op-priority", "user-priority"]
PROGRAMS = {}


def program(name, args, results, body, extra=""):
    """args: (type, dims) pairs; dims None: no sharding. results: the same."""
    def attr(dims):
        return f" {{sdy.sharding = #sdy.sharding<@m, {dims}>}}" if dims else ""
    head = ", ".join(f"%arg{i}: tensor<{t}>{attr(d)}" for i, (t, d) in enumerate(args))
    tail = ", ".join(f"tensor<{t}>{attr(d)}" for t, d in results)
    PROGRAMS[name] = MESH + extra + f"func.func public @main({head}) -> ({tail}) {{\n{body}\n}}\n"


A, B, AB = '[{"a", ?}, {?}]', '[{?}, {"b", ?}]', '[{"a", ?}, {"b", ?}]'
T = "8x16xf32"
NONE = None

# --- op classes, forward and backward ----------------------------------------


def both(name, ins, out, dims, body):
    """The program with its first argument sharded, and with its result."""
    program(name + "_fwd", [(ins[0], dims[0])] + [(t, NONE) for t in ins[1:]], [(out, NONE)], body)
    program(name + "_bwd", [(t, NONE) for t in ins], [(out, dims[1])], body)


both("add", [T, T], T, [AB, AB], f"%0 = stablehlo.add %arg0, %arg1 : tensor<{T}>\nreturn %0 : tensor<{T}>")
both("tanh", [T], T, [AB, AB], f"%0 = stablehlo.tanh %arg0 : tensor<{T}>\nreturn %0 : tensor<{T}>")
both("convert", [T], "8x16xbf16", [AB, AB], "%0 = stablehlo.convert %arg0 : (tensor<8x16xf32>) -> tensor<8x16xbf16>\nreturn %0 : tensor<8x16xbf16>")
both("transpose", [T], "16x8xf32", [AB, AB], "%0 = stablehlo.transpose %arg0, dims = [1, 0] : (tensor<8x16xf32>) -> tensor<16x8xf32>\nreturn %0 : tensor<16x8xf32>")
both("dot", [T, "16x32xf32"], "8x32xf32", [AB, AB], "%0 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0] : (tensor<8x16xf32>, tensor<16x32xf32>) -> tensor<8x32xf32>\nreturn %0 : tensor<8x32xf32>")
both("batched_dot", ["4x8x16xf32", "4x16x32xf32"], "4x8x32xf32", ['[{"a", ?}, {"b", ?}, {"c", ?}]', '[{"a", ?}, {"b", ?}, {"c", ?}]'],
     "%0 = stablehlo.dot_general %arg0, %arg1, batching_dims = [0] x [0], contracting_dims = [2] x [1] : (tensor<4x8x16xf32>, tensor<4x16x32xf32>) -> tensor<4x8x32xf32>\nreturn %0 : tensor<4x8x32xf32>")
both("reduce", [T], "8xf32", [AB, '[{"a", ?}]'], "%c = stablehlo.constant dense<0.0> : tensor<f32>\n%0 = stablehlo.reduce(%arg0 init: %c) applies stablehlo.add across dimensions = [1] : (tensor<8x16xf32>, tensor<f32>) -> tensor<8xf32>\nreturn %0 : tensor<8xf32>")
both("broadcast", ["8xf32"], T, ['[{"a", ?}]', AB], "%0 = stablehlo.broadcast_in_dim %arg0, dims = [0] : (tensor<8xf32>) -> tensor<8x16xf32>\nreturn %0 : tensor<8x16xf32>")
both("broadcast_expand", ["8x1xf32"], T, ['[{"a", ?}, {?}]', AB], "%0 = stablehlo.broadcast_in_dim %arg0, dims = [0, 1] : (tensor<8x1xf32>) -> tensor<8x16xf32>\nreturn %0 : tensor<8x16xf32>")
both("reshape_split", ["32x16xf32"], "4x8x16xf32", ['[{"d", "a", ?}, {"b", ?}]', '[{"d", ?}, {"a", ?}, {"b", ?}]'], "%0 = stablehlo.reshape %arg0 : (tensor<32x16xf32>) -> tensor<4x8x16xf32>\nreturn %0 : tensor<4x8x16xf32>")
both("reshape_merge", ["4x8x16xf32"], "32x16xf32", ['[{"d", ?}, {"a", ?}, {"b", ?}]', '[{"d", "a", ?}, {"b", ?}]'], "%0 = stablehlo.reshape %arg0 : (tensor<4x8x16xf32>) -> tensor<32x16xf32>\nreturn %0 : tensor<32x16xf32>")
both("reshape_partly", ["2x4x32xf32"], "8x4x8xf32", ['[{"a", ?}, {"b", ?}, {"c", ?}]', '[{"a", ?}, {"b", ?}, {"c", ?}]'], "%0 = stablehlo.reshape %arg0 : (tensor<2x4x32xf32>) -> tensor<8x4x8xf32>\nreturn %0 : tensor<8x4x8xf32>")
both("reshape_minor_only", ["4x8xf32"], "32xf32", ['[{?}, {"a", ?}]', '[{"a", ?}]'], "%0 = stablehlo.reshape %arg0 : (tensor<4x8xf32>) -> tensor<32xf32>\nreturn %0 : tensor<32xf32>")
both("slice", [T], "4x16xf32", [AB, AB], "%0 = stablehlo.slice %arg0 [2:6, 0:16] : (tensor<8x16xf32>) -> tensor<4x16xf32>\nreturn %0 : tensor<4x16xf32>")
both("pad", [T], "10x16xf32", [AB, AB], "%c = stablehlo.constant dense<0.0> : tensor<f32>\n%0 = stablehlo.pad %arg0, %c, low = [1, 0], high = [1, 0], interior = [0, 0] : (tensor<8x16xf32>, tensor<f32>) -> tensor<10x16xf32>\nreturn %0 : tensor<10x16xf32>")
both("reverse", [T], T, [AB, AB], f"%0 = stablehlo.reverse %arg0, dims = [0] : tensor<{T}>\nreturn %0 : tensor<{T}>")
both("concatenate", [T, T], "16x16xf32", [AB, AB], "%0 = stablehlo.concatenate %arg0, %arg1, dim = 0 : (tensor<8x16xf32>, tensor<8x16xf32>) -> tensor<16x16xf32>\nreturn %0 : tensor<16x16xf32>")
both("iota_add", [T], T, [AB, AB], f"%i = stablehlo.iota dim = 0 : tensor<{T}>\n%0 = stablehlo.add %arg0, %i : tensor<{T}>\nreturn %0 : tensor<{T}>")
both("select", ["8x16xi1", T, T], T, [AB, AB], f"%0 = stablehlo.select %arg0, %arg1, %arg2 : tensor<8x16xi1>, tensor<{T}>\nreturn %0 : tensor<{T}>")
both("clamp", ["f32", T, "f32"], T, ["[]", AB], f"%0 = stablehlo.clamp %arg0, %arg1, %arg2 : (tensor<f32>, tensor<{T}>, tensor<f32>) -> tensor<{T}>\nreturn %0 : tensor<{T}>")
both("dynamic_slice", [T, "i32", "i32"], "1x16xf32", [AB, AB], "%0 = stablehlo.dynamic_slice %arg0, %arg1, %arg2, sizes = [1, 16] : (tensor<8x16xf32>, tensor<i32>, tensor<i32>) -> tensor<1x16xf32>\nreturn %0 : tensor<1x16xf32>")
both("dynamic_update_slice", [T, "2x16xf32", "i32", "i32"], T, [AB, AB], "%0 = stablehlo.dynamic_update_slice %arg0, %arg1, %arg2, %arg3 : (tensor<8x16xf32>, tensor<2x16xf32>, tensor<i32>, tensor<i32>) -> tensor<8x16xf32>\nreturn %0 : tensor<8x16xf32>")
both("gather", [T, "4x1xi32"], "4x16xf32", [AB, AB], '%0 = "stablehlo.gather"(%arg0, %arg1) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 16>}> : (tensor<8x16xf32>, tensor<4x1xi32>) -> tensor<4x16xf32>\nreturn %0 : tensor<4x16xf32>')
both("scatter", [T, "4x1xi32", "4x16xf32"], T, [AB, AB], '%0 = "stablehlo.scatter"(%arg0, %arg1, %arg2) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({\n^bb0(%x: tensor<f32>, %y: tensor<f32>):\n%s = stablehlo.add %x, %y : tensor<f32>\nstablehlo.return %s : tensor<f32>\n}) : (tensor<8x16xf32>, tensor<4x1xi32>, tensor<4x16xf32>) -> tensor<8x16xf32>\nreturn %0 : tensor<8x16xf32>')
both("sort", [T], T, [AB, AB], '%0 = "stablehlo.sort"(%arg0) <{dimension = 0 : i64}> ({\n^bb0(%x: tensor<f32>, %y: tensor<f32>):\n%s = stablehlo.compare LT, %x, %y : (tensor<f32>, tensor<f32>) -> tensor<i1>\nstablehlo.return %s : tensor<i1>\n}) : (tensor<8x16xf32>) -> tensor<8x16xf32>\nreturn %0 : tensor<8x16xf32>')
both("reduce_window", [T], "8x16xf32", [AB, AB], '%c = stablehlo.constant dense<0.0> : tensor<f32>\n%0 = "stablehlo.reduce_window"(%arg0, %c) <{window_dimensions = array<i64: 1, 3>, padding = dense<[[0, 0], [1, 1]]> : tensor<2x2xi64>}> ({\n^bb0(%x: tensor<f32>, %y: tensor<f32>):\n%s = stablehlo.add %x, %y : tensor<f32>\nstablehlo.return %s : tensor<f32>\n}) : (tensor<8x16xf32>, tensor<f32>) -> tensor<8x16xf32>\nreturn %0 : tensor<8x16xf32>')
both("convolution", ["8x16x16x4xf32", "3x3x4x8xf32"], "8x16x16x8xf32", ['[{"a", ?}, {"b", ?}, {?}, {"c", ?}]', '[{"a", ?}, {"b", ?}, {?}, {"c", ?}]'],
     "%0 = stablehlo.convolution(%arg0, %arg1) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {pad = [[1, 1], [1, 1]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<8x16x16x4xf32>, tensor<3x3x4x8xf32>) -> tensor<8x16x16x8xf32>\nreturn %0 : tensor<8x16x16x8xf32>")
both("fft", ["8x16xcomplex<f32>"], "8x16xcomplex<f32>", [AB, AB], "%0 = stablehlo.fft %arg0, type = FFT, length = [16] : (tensor<8x16xcomplex<f32>>) -> tensor<8x16xcomplex<f32>>\nreturn %0 : tensor<8x16xcomplex<f32>>")
both("cholesky", ["4x8x8xf32"], "4x8x8xf32", ['[{"a", ?}, {"b", ?}, {?}]', '[{"a", ?}, {?}, {"b", ?}]'], "%0 = stablehlo.cholesky %arg0, lower = true : tensor<4x8x8xf32>\nreturn %0 : tensor<4x8x8xf32>")
both("triangular_solve", ["4x8x8xf32", "4x8x2xf32"], "4x8x2xf32", ['[{"a", ?}, {"b", ?}, {?}]', '[{"a", ?}, {?}, {"b", ?}]'], '%0 = "stablehlo.triangular_solve"(%arg0, %arg1) <{left_side = true, lower = true, transpose_a = #stablehlo<transpose NO_TRANSPOSE>, unit_diagonal = false}> : (tensor<4x8x8xf32>, tensor<4x8x2xf32>) -> tensor<4x8x2xf32>\nreturn %0 : tensor<4x8x2xf32>')
both("bitcast_convert", [T], "8x16x4xi8", [AB, '[{"a", ?}, {"b", ?}, {?}]'], "%0 = stablehlo.bitcast_convert %arg0 : (tensor<8x16xf32>) -> tensor<8x16x4xi8>\nreturn %0 : tensor<8x16x4xi8>")
both("custom_call_unknown", [T], T, [AB, AB], f"%0 = stablehlo.custom_call @foo(%arg0) : (tensor<{T}>) -> tensor<{T}>\nreturn %0 : tensor<{T}>")
both("custom_call_rule", [T], "16x8xf32", [AB, AB], "%0 = stablehlo.custom_call @foo(%arg0) {sdy.sharding_rule = #sdy.op_sharding_rule<([i, j])->([j, i]) {i=8, j=16}, custom>} : (tensor<8x16xf32>) -> tensor<16x8xf32>\nreturn %0 : tensor<16x8xf32>")
both("real_imag", ["8x16xcomplex<f32>"], T, [AB, AB], f"%0 = stablehlo.real %arg0 : (tensor<8x16xcomplex<f32>>) -> tensor<{T}>\nreturn %0 : tensor<{T}>")
both("optimization_barrier", [T], T, [AB, AB], f"%0 = stablehlo.optimization_barrier %arg0 : tensor<{T}>\nreturn %0 : tensor<{T}>")

# --- features ----------------------------------------------------------------

ADD = f"%0 = stablehlo.add %arg0, %arg1 : tensor<{T}>\nreturn %0 : tensor<{T}>"
program("conflict_other_dim", [(T, '[{"a", ?}, {?}]'), (T, '[{?}, {"a", ?}]')], [(T, NONE)], ADD)
program("longest_prefix", [(T, '[{"a", "b", ?}, {?}]'), (T, '[{"a", "c", ?}, {?}]')], [(T, NONE)], ADD)
program("open_takes_more", [(T, '[{"a", ?}, {?}]'), (T, '[{"a", "b", ?}, {?}]')], [(T, NONE)], ADD)
program("closed_stays", [(T, '[{"a"}, {}]'), (T, '[{?}, {"b", ?}]')], [(T, NONE)], ADD)
program("closed_result", [(T, '[{"a", ?}, {"b", ?}]')] * 2, [(T, '[{}, {?}]')], ADD)
program("replicated_axis", [(T, '[{?}, {?}], replicated={"a"}'), (T, '[{"a", ?}, {"b", ?}]')], [(T, NONE)], ADD)
program("sub_axes", [(T, '[{"d":(1)2, ?}, {?}]'), (T, '[{?}, {"d":(2)2, ?}]')], [(T, NONE)], ADD)
program("sub_axis_prefix", [(T, '[{"d":(1)2, ?}, {?}]'), (T, '[{"d", ?}, {?}]')], [(T, NONE)], ADD)
program("priorities", [(T, '[{"a", ?}p1, {?}]'), (T, '[{?}, {"a", ?}p0]')], [(T, NONE)], ADD)
program("priority_chain", [(T, '[{"a", ?}p2, {"b", ?}p1]'), (T, '[{"b", ?}p0, {?}p3]')], [(T, NONE)],
        f"%0 = stablehlo.add %arg0, %arg1 : tensor<{T}>\n%1 = stablehlo.tanh %0 : tensor<{T}>\nreturn %1 : tensor<{T}>")
program("constraint_closed", [(T, '[{"a", ?}, {?}]')], [(T, NONE)],
        f'%0 = stablehlo.tanh %arg0 : tensor<{T}>\n%1 = sdy.sharding_constraint %0 <@m, [{{}}, {{"b"}}]> : tensor<{T}>\n%2 = stablehlo.tanh %1 : tensor<{T}>\nreturn %2 : tensor<{T}>')
program("constraint_open", [(T, NONE)], [(T, NONE)],
        f'%0 = stablehlo.tanh %arg0 : tensor<{T}>\n%1 = sdy.sharding_constraint %0 <@m, [{{"a", ?}}, {{?}}]> : tensor<{T}>\n%2 = stablehlo.tanh %1 : tensor<{T}>\nreturn %2 : tensor<{T}>')
program("constraint_chain", [(T, NONE)], [(T, NONE), (T, NONE)],
        f'%0 = stablehlo.tanh %arg0 : tensor<{T}>\n%1 = sdy.sharding_constraint %0 <@m, [{{"a", ?}}, {{?}}]> : tensor<{T}>\n%2 = sdy.sharding_constraint %1 <@m, [{{"a"}}, {{"b"}}]> : tensor<{T}>\nreturn %1, %2 : tensor<{T}>, tensor<{T}>')
for direction in ["FORWARD", "BACKWARD", "NONE"]:
    barrier = f"%0 = stablehlo.tanh %arg0 : tensor<{T}>\n%1 = sdy.propagation_barrier %0 allowed_direction={direction} : tensor<{T}>\n%2 = stablehlo.tanh %1 : tensor<{T}>\nreturn %2 : tensor<{T}>"
    program(f"barrier_{direction}_fwd", [(T, AB)], [(T, NONE)], barrier)
    program(f"barrier_{direction}_bwd", [(T, NONE)], [(T, AB)], barrier)
program("group", [(T, AB), ("8x16xi32", NONE)], [(T, NONE), ("8x16xi32", NONE)],
        f"sdy.sharding_group %arg0 group_id=3 : tensor<{T}>\nsdy.sharding_group %arg1 group_id=3 : tensor<8x16xi32>\nreturn %arg0, %arg1 : tensor<{T}>, tensor<8x16xi32>")
LOOP = f"""%c0 = stablehlo.constant dense<0> : tensor<i32>
%c9 = stablehlo.constant dense<9> : tensor<i32>
%c1 = stablehlo.constant dense<1> : tensor<i32>
%0:2 = stablehlo.while(%x = %arg0, %i = %c0) : tensor<{T}>, tensor<i32>
cond {{
  %p = stablehlo.compare LT, %i, %c9 : (tensor<i32>, tensor<i32>) -> tensor<i1>
  stablehlo.return %p : tensor<i1>
}} do {{
  %y = stablehlo.add %x, %arg1 : tensor<{T}>
  %j = stablehlo.add %i, %c1 : tensor<i32>
  stablehlo.return %y, %j : tensor<{T}>, tensor<i32>
}}
return %0#0 : tensor<{T}>"""
program("while_init", [(T, AB), (T, NONE)], [(T, NONE)], LOOP)
program("while_body", [(T, NONE), (T, AB)], [(T, NONE)], LOOP)
program("while_result", [(T, NONE), (T, NONE)], [(T, AB)], LOOP)
program("while_conflict", [(T, A), (T, '[{?}, {"a", ?}]')], [(T, B)], LOOP)
CASE = f"""%0 = "stablehlo.case"(%arg2) ({{
  %1 = stablehlo.tanh %arg0 : tensor<{T}>
  stablehlo.return %1 : tensor<{T}>
}}, {{
  %1 = stablehlo.add %arg1, %arg1 : tensor<{T}>
  stablehlo.return %1 : tensor<{T}>
}}) : (tensor<i32>) -> tensor<{T}>
return %0 : tensor<{T}>"""
program("case_branch", [(T, AB), (T, NONE), ("i32", NONE)], [(T, NONE)], CASE)
program("case_result", [(T, NONE), (T, NONE), ("i32", NONE)], [(T, AB)], CASE)
program("case_two", [(T, A), (T, B), ("i32", NONE)], [(T, NONE)], CASE)
program("barrier_two", [(T, A), (T, B)], [(T, NONE), (T, NONE)],
        f"%0:2 = stablehlo.optimization_barrier %arg0, %arg1 : tensor<{T}>, tensor<{T}>\n%1 = stablehlo.add %0#0, %0#1 : tensor<{T}>\nreturn %1, %0#1 : tensor<{T}>, tensor<{T}>")
program("results_meet", [(T, NONE)], [(T, A), (T, B)], f"%0 = stablehlo.tanh %arg0 : tensor<{T}>\nreturn %0, %0 : tensor<{T}>, tensor<{T}>")
program("argument_returned", [(T, A)], [(T, B)], f"return %arg0 : tensor<{T}>")
MANUAL = f"""%0 = sdy.manual_computation(%arg0) in_shardings=[<@m, [{{"a", ?}}, {{?}}]>] out_shardings=[<@m, [{{"a", ?}}, {{?}}]>] manual_axes={{"a"}} (%x: tensor<4x16xf32>) {{
  %1 = stablehlo.tanh %x : tensor<4x16xf32>
  sdy.return %1 : tensor<4x16xf32>
}} : (tensor<{T}>) -> tensor<{T}>
%2 = stablehlo.tanh %0 : tensor<{T}>
return %2 : tensor<{T}>"""
program("manual_in", [(T, '[{"a", ?}, {"b", ?}]')], [(T, NONE)], MANUAL)
program("manual_out", [(T, NONE)], [(T, '[{"a", ?}, {"b", ?}]')], MANUAL)
program("manual_inside", [(T, NONE)], [(T, NONE)], MANUAL.replace("sdy.return %1", 'X').replace('  X', '  %3 = sdy.sharding_constraint %1 <@m, [{?}, {"b", ?}]> : tensor<4x16xf32>\n  sdy.return %3'))
CALL = f"func.func private @f(%x: tensor<{T}>) -> tensor<{T}> {{\n%0 = stablehlo.tanh %x : tensor<{T}>\nreturn %0 : tensor<{T}>\n}}\n"
program("dot_conflict_contract", [(T, '[{"a", ?}, {"b", ?}]'), ("16x32xf32", '[{"c", ?}, {"a", ?}]')], [("8x32xf32", NONE)], "%0 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0] : (tensor<8x16xf32>, tensor<16x32xf32>) -> tensor<8x32xf32>\nreturn %0 : tensor<8x32xf32>")
program("dot_larger_wins", [("8x16xf32", '[{"a", ?}, {?}]'), ("16x128xf32", '[{?}, {"a", ?}]')], [("8x128xf32", NONE)], "%0 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0] : (tensor<8x16xf32>, tensor<16x128xf32>) -> tensor<8x128xf32>\nreturn %0 : tensor<8x128xf32>")
program("mlp", [("8x16xf32", '[{"a", ?}, {?}]'), ("16x64xf32", '[{?}, {"b", ?}]'), ("64x16xf32", NONE)], [("8x16xf32", NONE)],
        "%0 = stablehlo.dot_general %arg0, %arg1, contracting_dims = [1] x [0] : (tensor<8x16xf32>, tensor<16x64xf32>) -> tensor<8x64xf32>\n%1 = stablehlo.tanh %0 : tensor<8x64xf32>\n%2 = stablehlo.dot_general %1, %arg2, contracting_dims = [1] x [0] : (tensor<8x64xf32>, tensor<64x16xf32>) -> tensor<8x16xf32>\nreturn %2 : tensor<8x16xf32>")
program("uneven", [("7x16xf32", '[{"a", ?}, {?}]')], [("7x16xf32", NONE)], "%0 = stablehlo.tanh %arg0 : tensor<7x16xf32>\nreturn %0 : tensor<7x16xf32>")
program("small_dim", [("2x16xf32", '[{"d", ?}, {?}]')], [("2x16xf32", NONE)], "%0 = stablehlo.tanh %arg0 : tensor<2x16xf32>\nreturn %0 : tensor<2x16xf32>")
program("broadcast_backward_only", [("8xf32", NONE), (T, AB)], [(T, NONE)], f"%0 = stablehlo.broadcast_in_dim %arg0, dims = [0] : (tensor<8xf32>) -> tensor<{T}>\n%1 = stablehlo.add %0, %arg1 : tensor<{T}>\nreturn %1 : tensor<{T}>")
program("two_uses", [(T, NONE)], [("16x8xf32", '[{"a", ?}, {?}]'), (T, '[{"b", ?}, {?}]')], f"%0 = stablehlo.tanh %arg0 : tensor<{T}>\n%1 = stablehlo.transpose %0, dims = [1, 0] : (tensor<{T}>) -> tensor<16x8xf32>\n%2 = stablehlo.tanh %0 : tensor<{T}>\nreturn %1, %2 : tensor<16x8xf32>, tensor<{T}>")
program("scalar", [("f32", "[]"), (T, AB)], [(T, NONE)], f"%0 = stablehlo.broadcast_in_dim %arg0, dims = [] : (tensor<f32>) -> tensor<{T}>\n%1 = stablehlo.multiply %0, %arg1 : tensor<{T}>\nreturn %1 : tensor<{T}>")


def shardy(source, strategy):
    """The module after Shardy's propagation by one strategy; None if it fails."""
    with jax_mlir.make_ir_context():
        module = ir.Module.parse(source)
        PassManager.parse(base.SHARDY.replace("user-priority", strategy)).run(module.operation)
        return base.shardings(str(module))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--shoal-opt", default=str(Path(__file__).resolve().parents[2] / "build/bin/shoal-opt"))
    p.add_argument("--only", default="")
    p.add_argument("--verbose", action="store_true")
    args = p.parse_args()
    folder = tempfile.TemporaryDirectory()
    counts = {s: [0, 0] for s in STRATEGIES}
    equal = total = 0
    bad = []
    for name, text in PROGRAMS.items():
        if not re.search(args.only, name):
            continue
        path = f"{folder.name}/{name}.mlir"
        Path(path).write_text(text)
        try:
            source = base.run(args.shoal_opt, path, "--shoal-import-pipeline", "--shoal-export-sdy")
            ours = base.run(args.shoal_opt, path, "--shoal-import-pipeline", "--shoal-propagate", "--shoal-export-sdy")
            with jax_mlir.make_ir_context():
                mine = base.shardings(ours)
            theirs = {s: shardy(source, s) for s in STRATEGIES}
        except Exception as error:
            print(f"????  {name}: {str(error)[:500]}")
            bad.append(name)
            continue
        def same(other):
            return len(mine) == len(other) and all(
                a == b or base.is_trivial(a[1]) and base.is_trivial(b[1]) for a, b in zip(mine, other))
        for s in STRATEGIES:
            counts[s][0] += same(theirs[s])
            counts[s][1] += 1
        agree = all(theirs[s] == theirs["basic"] for s in STRATEGIES)
        total += agree
        equal += agree and same(theirs["basic"])
        if not same(theirs["user-priority"]) or (agree and not same(theirs["basic"])):
            bad.append(name)
        if args.verbose or name in bad:
            print(f"{'DIFF' if name in bad else 'ok  '} {name}: strategies {'agree' if agree else 'differ'}; equal to "
                  + ", ".join(s for s in STRATEGIES if same(theirs[s])))
        if name in bad:
            for (n, want), (_, got) in zip(theirs["user-priority"], mine):
                if want != got and not (base.is_trivial(want) and base.is_trivial(got)):
                    print(f"       {n}: Shardy {want}, Shoal {got}")
    print(f"where the strategies agree: {equal} of {total}; " + ", ".join(f"{s}: {a} of {b}" for s, (a, b) in counts.items()))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
