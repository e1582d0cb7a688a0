// RUN: shoal-opt %s --shoal-place-mesh=hardware=dgx-h100 | FileCheck %s

// Neighbours along the last axis are in one node; what a user states stays; an
// axis that begins within a node and goes beyond is as slow as its share of the
// network.
// CHECK: shoal.mesh @two <["node"=4, "gpu"=8], topology={"node" = (4.500000e+01, 1.700000e+01), "gpu" = (4.000000e+02, 7.000000e+00)}>
// CHECK: shoal.mesh @stated <["node"=4, "gpu"=8], topology={"node" = (1.000000e+00, 2.000000e+00), "gpu" = (4.000000e+02, 7.000000e+00)}>
// CHECK: shoal.mesh @turned <["gpu"=8, "node"=4], topology={"gpu" = (9.130400e+01, 1.800000e+01), "node" = (4.000000e+02, 7.000000e+00)}>
// CHECK: shoal.mesh @one <["x"=1]>
shoal.mesh @two <["node"=4, "gpu"=8]>
shoal.mesh @stated <["node"=4, "gpu"=8], topology={"node" = (1.0, 2.0)}>
shoal.mesh @turned <["gpu"=8, "node"=4]>
shoal.mesh @one <["x"=1]>
