// The ops of one block in phase `fused` as a graph: what must come before what,
// and which memory each op fills, needs and is the last to need.
#ifndef SHOAL_LIB_SCHEDULE_BLOCKGRAPH_H
#define SHOAL_LIB_SCHEDULE_BLOCKGRAPH_H

#include "shoal/Analysis/HostScalars.h"

#include "mlir/IR/Block.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

namespace shoal {

/// An op that is done again to hold less has the number of one that it must not
/// run before: else it would be there again as early as what it stands for.
inline constexpr llvm::StringLiteral kMarkAttr = "shoal.mark",
                                     kAfterAttr = "shoal.after";

class BlockGraph {
public:
  BlockGraph(mlir::Block &block, const HostScalars &scalars);

  struct Node {
    mlir::Operation *op;
    llvm::SmallVector<unsigned> users; ///< nodes that must come later
    unsigned numDeps = 0;
    llvm::SmallVector<unsigned> reads;   ///< memory it needs, each once
    llvm::SmallVector<unsigned> defines; ///< memory it fills
    int64_t inner = 0; ///< bytes that its regions hold at most, estimated
  };
  /// In the order of the block; the last one is the terminator.
  llvm::ArrayRef<Node> getNodes() const { return nodes; }

  /// Bytes of memory number `owner`; how many ops of the block read it; whether
  /// it is made, and so given back, within the block.
  int64_t bytesOf(unsigned owner) const { return bytes[owner]; }
  llvm::ArrayRef<unsigned> getNumReaders() const { return numReaders; }
  bool isMadeHere(unsigned owner) const { return isLocal[owner]; }

  /// Bytes that executing the node adds to what is held, minus what it frees,
  /// where `readers[owner]` reads of each memory are still to come.
  int64_t growth(const Node &node, llvm::ArrayRef<unsigned> readers) const;
  /// The most bytes held at once, without what comes from outside.
  int64_t peakOf(llvm::ArrayRef<unsigned> order) const;
  /// Bytes held while each node executes, without its regions'; by node.
  llvm::SmallVector<int64_t> heldAt(llvm::ArrayRef<unsigned> order) const;
  /// Moves the ops of the block into this order.
  void apply(llvm::ArrayRef<unsigned> order);

private:
  unsigned ownerOf(mlir::Value value);

  mlir::Block &block;
  const HostScalars &scalars;
  llvm::SmallVector<Node> nodes;
  llvm::DenseMap<mlir::Value, unsigned>
      memory; // value -> memory, through views
  llvm::SmallVector<int64_t> bytes;
  llvm::SmallVector<unsigned>
      numReaders; // ops of this block, its terminator too
  llvm::SmallVector<bool> isLocal;
};

} // namespace shoal

#endif // SHOAL_LIB_SCHEDULE_BLOCKGRAPH_H
