"""Loops, branches and what else holds code."""
from .base import Arg, Case, case, region, simple, tensor


@case("stablehlo.while")
def while_(z):
    a, b = z(8), z(6)
    s = (a, b)
    body = f"""$n = stablehlo.constant dense<3> : tensor<i32>
$0 = stablehlo.constant dense<0> : tensor<i32>
$1 = stablehlo.constant dense<1> : tensor<i32>
$w:3 = stablehlo.while($i = $0, $x = $a0, $y = $a1) : tensor<i32>, {tensor(s)}, {tensor(s)} cond {{
  $c = stablehlo.compare LT, $i, $n : (tensor<i32>, tensor<i32>) -> tensor<i1>
  stablehlo.return $c : tensor<i1>
}} do {{
  $j = stablehlo.add $i, $1 : tensor<i32>
  $u = stablehlo.add $x, $y : {tensor(s)}
  stablehlo.return $j, $u, $x : tensor<i32>, {tensor(s)}, {tensor(s)}
}}
$r0 = stablehlo.negate $w#1 : {tensor(s)}
$r1 = stablehlo.negate $w#2 : {tensor(s)}"""
    return Case([Arg(s), Arg(s)], [(s, "f32"), (s, "f32")], body)


@case("stablehlo.while")
def while_data(z):
    """Runs until a sum over cut dimensions is large enough."""
    a, b = z(8), z(6)
    s = (a, b)
    body = f"""$0 = stablehlo.constant dense<0.0> : tensor<f32>
$n = stablehlo.constant dense<5000.0> : tensor<f32>
$m = stablehlo.abs $a0 : {tensor(s)}
$o = stablehlo.constant dense<1.0> : {tensor(s)}
$p = stablehlo.add $m, $o : {tensor(s)}
$w = stablehlo.while($x = $p) : {tensor(s)} cond {{
  $q = stablehlo.reduce($x init: $0) applies stablehlo.add across dimensions = [0, 1] : ({tensor(s)}, tensor<f32>) -> tensor<f32>
  $c = stablehlo.compare LT, $q, $n : (tensor<f32>, tensor<f32>) -> tensor<i1>
  stablehlo.return $c : tensor<i1>
}} do {{
  $u = stablehlo.add $x, $x : {tensor(s)}
  stablehlo.return $u : {tensor(s)}
}}
$r0 = stablehlo.negate $w : {tensor(s)}"""
    return Case([Arg(s)], [(s, "f32")], body)


@case("stablehlo.if")
def if_(z):
    a, b = z(8), z(6)
    s = (a, b)
    body = f"""$r0 = "stablehlo.if"($a1) ({{
  $u = stablehlo.add $a0, $a0 : {tensor(s)}
  stablehlo.return $u : {tensor(s)} }}, {{
  $v = stablehlo.reverse $a0, dims = [0] : {tensor(s)}
  stablehlo.return $v : {tensor(s)} }}) : (tensor<i1>) -> {tensor(s)}"""
    return Case([Arg(s), Arg((), "i1")], [(s, "f32")], body)


@case("stablehlo.case")
def case_(z):
    a, b = z(8), z(6)
    s = (a, b)
    body = f"""$0 = stablehlo.constant dense<0.0> : tensor<f32>
$q = stablehlo.reduce($a0 init: $0) applies stablehlo.maximum across dimensions = [0, 1] : ({tensor(s)}, tensor<f32>) -> tensor<f32>
$i = stablehlo.convert $q : (tensor<f32>) -> tensor<i32>
$r0 = "stablehlo.case"($i) ({{
  stablehlo.return $a0 : {tensor(s)} }}, {{
  $v = stablehlo.reverse $a0, dims = [0] : {tensor(s)}
  stablehlo.return $v : {tensor(s)} }}, {{
  $w = stablehlo.negate $a0 : {tensor(s)}
  stablehlo.return $w : {tensor(s)} }}) : (tensor<i32>) -> {tensor(s)}"""
    return Case([Arg(s)], [(s, "f32")], body)


@case("stablehlo.while")
def control_nested(z):
    """A loop over rows, in it a branch on what the row holds, in that a loop."""
    a, b = z(8), z(6)
    s, row = tensor((a, b)), tensor((b,))
    body = f"""$0 = stablehlo.constant dense<0> : tensor<i32>
$1 = stablehlo.constant dense<1> : tensor<i32>
$n = stablehlo.constant dense<{a}> : tensor<i32>
$f = stablehlo.constant dense<0.0> : tensor<f32>
$h = stablehlo.constant dense<50.0> : tensor<f32>
$o = stablehlo.constant dense<1.0> : {row}
$z = stablehlo.constant dense<0.0> : {row}
$w:3 = stablehlo.while($i = $0, $x = $a0, $acc = $z) : tensor<i32>, {s}, {row} cond {{
  $c = stablehlo.compare LT, $i, $n : (tensor<i32>, tensor<i32>) -> tensor<i1>
  stablehlo.return $c : tensor<i1>
}} do {{
  $j = stablehlo.add $i, $1 : tensor<i32>
  $p = stablehlo.dynamic_slice $x, $i, $0, sizes = [1, {b}] : ({s}, tensor<i32>, tensor<i32>) -> {tensor((1, b))}
  $r = stablehlo.reshape $p : ({tensor((1, b))}) -> {row}
  $q = stablehlo.reduce($r init: $f) applies stablehlo.add across dimensions = [0] : ({row}, tensor<f32>) -> tensor<f32>
  $g = stablehlo.compare GT, $q, $f : (tensor<f32>, tensor<f32>) -> tensor<i1>
  $t = "stablehlo.if"($g) ({{
    $v = stablehlo.while($y = $r) : {row} cond {{
      $m = stablehlo.reduce($y init: $f) applies stablehlo.add across dimensions = [0] : ({row}, tensor<f32>) -> tensor<f32>
      $l = stablehlo.compare LT, $m, $h : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return $l : tensor<i1>
    }} do {{
      $d = stablehlo.add $y, $o : {row}
      stablehlo.return $d : {row}
    }}
    stablehlo.return $v : {row}
  }}, {{
    $k = stablehlo.reverse $r, dims = [0] : {row}
    stablehlo.return $k : {row}
  }}) : (tensor<i1>) -> {row}
  $u = stablehlo.reshape $t : ({row}) -> {tensor((1, b))}
  $X = stablehlo.dynamic_update_slice $x, $u, $i, $0 : ({s}, {tensor((1, b))}, tensor<i32>, tensor<i32>) -> {s}
  $A = stablehlo.add $acc, $t : {row}
  stablehlo.return $j, $X, $A : tensor<i32>, {s}, {row}
}}
$r0 = stablehlo.negate $w#1 : {s}
$r1 = stablehlo.negate $w#2 : {row}"""
    return Case([Arg((a, b))], [((a, b), "f32"), ((b,), "f32")], body)


@case("stablehlo.case")
def case_in_loop(z):
    """Carried values that change places; a branch by the turn."""
    a = z(8)
    s = tensor((a, a))
    body = f"""$0 = stablehlo.constant dense<0> : tensor<i32>
$1 = stablehlo.constant dense<1> : tensor<i32>
$n = stablehlo.constant dense<4> : tensor<i32>
$w:3 = stablehlo.while($i = $0, $x = $a0, $y = $a1) : tensor<i32>, {s}, {s} cond {{
  $c = stablehlo.compare LT, $i, $n : (tensor<i32>, tensor<i32>) -> tensor<i1>
  stablehlo.return $c : tensor<i1>
}} do {{
  $j = stablehlo.add $i, $1 : tensor<i32>
  $t:2 = "stablehlo.case"($i) ({{
    stablehlo.return $y, $x : {s}, {s}
  }}, {{
    $p = stablehlo.transpose $x, dims = [1, 0] : ({s}) -> {s}
    stablehlo.return $p, $y : {s}, {s}
  }}, {{
    $q = stablehlo.dot_general $x, $y, contracting_dims = [1] x [0] : ({s}, {s}) -> {s}
    stablehlo.return $q, $x : {s}, {s}
  }}, {{
    $r = stablehlo.subtract $x, $y : {s}
    stablehlo.return $r, $r : {s}, {s}
  }}) : (tensor<i32>) -> ({s}, {s})
  stablehlo.return $j, $t#0, $t#1 : tensor<i32>, {s}, {s}
}}
$r0 = stablehlo.negate $w#1 : {s}
$r1 = stablehlo.negate $w#2 : {s}"""
    return Case([Arg((a, a)), Arg((a, a))], [((a, a), "f32"), ((a, a), "f32")], body)


@case("stablehlo.map")
def map_(z):
    s = (z(8), z(6))
    return simple("stablehlo.map", [Arg(s), Arg(s)], [(s, "f32")], f" <{{dimensions = array<i64: 0, 1>}}> {region(2, 'add')}")


@case("stablehlo.optimization_barrier")
def optimization_barrier(z):
    s = (z(8), z(6))
    return Case([Arg(s)], [(s, "f32")], f"$r0 = stablehlo.optimization_barrier $a0 : {tensor(s)}")
