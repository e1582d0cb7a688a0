// Tile sizes of a fused kernel: the cost model.
#ifndef SHOAL_LIB_CODEGEN_GPU_TILE_FUSED_FUSEDCONFIG_H
#define SHOAL_LIB_CODEGEN_GPU_TILE_FUSED_FUSEDCONFIG_H

#include "FusedGraph.h"

#include "dialects/Tile/Tile.h"

namespace shoal::fused {

/// `tile` has one size per loop of the graph. Loops that are not reduced are
/// dealt out to blocks; a reduced loop larger than its tile is walked in steps,
/// and once more for each level of reductions. `split` > 1: so many blocks
/// share the reduction, in two launches.
tile::ConfigAttr chooseConfig(const Graph &graph, const TileTarget &target,
                              mlir::MLIRContext *context);

/// Steps of a loop: size / tile, rounded up.
int64_t stepsOf(const Graph &graph, tile::ConfigAttr config, unsigned loop);
/// The reduced loop of which blocks take parts (the one with most steps).
unsigned splitLoop(const Graph &graph, tile::ConfigAttr config);
/// If some reduced loop is walked in steps.
bool isStepped(const Graph &graph, tile::ConfigAttr config);
/// Blocks that the loops which are not reduced give.
int64_t countBlocks(const Graph &graph, tile::ConfigAttr config);

/// The configuration of the second launch of a split reduction, whose split loop
/// has `split` iterations.
tile::ConfigAttr chooseFinishConfig(const Graph &graph,
                                    tile::ConfigAttr config,
                                    const TileTarget &target);

} // namespace shoal::fused

#endif // SHOAL_LIB_CODEGEN_GPU_TILE_FUSED_FUSEDCONFIG_H
