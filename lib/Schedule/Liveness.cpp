// Life of the buffers of a scheduled program. See Liveness.h.
#include "Liveness.h"

#include "shoal/Schedule/MemoryNotes.h"

using namespace mlir;
using namespace shoal;

void Liveness::number(Region &region) {
  for (Block &block : region)
    for (Operation &op : block) {
      time[&op] = ++now;
      for (Region &nested : op.getRegions())
        number(nested);
      endTime[&op] = op.getNumRegions() ? ++now : now;
    }
}

/// Values that a loop's carried handle may be: initial, next, and final ones
/// all point into one set of declarations. Solved by union until nothing
/// changes.
void Liveness::collectRoots(plan::ProgramOp program) {
  auto add = [&](Value to, ArrayRef<Operation *> from) {
    bool changed = false;
    auto &set = roots[to];
    for (Operation *root : from)
      if (!llvm::is_contained(set, root)) {
        set.push_back(root);
        changed = true;
      }
    return changed;
  };
  bool changed = true;
  while (changed) {
    changed = false;
    program.walk<WalkOrder::PreOrder>([&](Operation *op) {
      auto flow = [&](Value from, Value to) {
        if (isa<plan::BufferType>(to.getType())) {
          SmallVector<Operation *, 2> set(roots.lookup(from));
          changed |= add(to, set);
        }
      };
      if (isa<plan::AllocOp, plan::ArgumentOp, plan::ResultOp,
              plan::ConstantOp>(op) ||
          op->hasAttr(kTemporaryAttr)) {
        changed |= add(op->getResult(0), {op});
      } else if (auto view = dyn_cast<plan::ViewOp>(op)) {
        flow(view.getBase(), view.getView());
      } else if (auto loop = dyn_cast<plan::ForOp>(op)) {
        Block &body = loop.getBody().front();
        for (auto [i, init] : llvm::enumerate(loop.getInits())) {
          flow(init, body.getArgument(i + 1));
          flow(body.getTerminator()->getOperand(i), body.getArgument(i + 1));
          flow(body.getArgument(i + 1), loop.getFinals()[i]);
        }
      } else if (auto loop = dyn_cast<plan::WhileOp>(op)) {
        Block &cond = loop.getCond().front(), &body = loop.getBody().front();
        for (auto [i, init] : llvm::enumerate(loop.getInits())) {
          flow(init, cond.getArgument(i));
          flow(body.getTerminator()->getOperand(i), cond.getArgument(i));
          flow(cond.getArgument(i), body.getArgument(i));
          flow(cond.getArgument(i), loop.getFinals()[i]);
        }
      }
    });
  }
}

void Liveness::collectAccesses(Operation *op) {
  auto read = [&](ValueRange values) {
    for (Value value : values)
      if (value)
        accesses.push_back({op, value, false});
  };
  auto write = [&](ValueRange values) {
    for (Value value : values)
      if (value)
        accesses.push_back({op, value, true});
  };
  if (auto exec = dyn_cast<plan::ExecOp>(op)) {
    read(exec.getInputs());
    write(exec.getOuts());
  } else if (auto copy = dyn_cast<plan::CopyOp>(op)) {
    read(copy.getSource());
    write(copy.getDest());
    // On a stream of its own: both are in use until its event is awaited.
    auto record = copy.getStream()
                      ? dyn_cast_or_null<plan::RecordOp>(copy->getNextNode())
                      : plan::RecordOp();
    if (record)
      for (Operation *user : record.getEvent().getUsers()) {
        accesses.push_back({user, copy.getSource(), false});
        accesses.push_back({user, copy.getDest(), false});
      }
  } else if (auto fill = dyn_cast<plan::FillOp>(op)) {
    write(fill.getDest());
  } else if (auto scalar = dyn_cast<plan::ReadScalarOp>(op)) {
    read(scalar.getBuffer());
  } else if (auto scalar = dyn_cast<plan::WriteScalarOp>(op)) {
    write(scalar.getBuffer());
  } else if (auto matmul = dyn_cast<plan::MatmulOp>(op)) {
    read({matmul.getLhs(), matmul.getRhs()});
    write(matmul.getOut());
  } else if (auto conv = dyn_cast<plan::ConvolutionOp>(op)) {
    read({conv.getLhs(), conv.getRhs()});
    write(conv.getOut());
  } else if (auto call = dyn_cast<plan::CustomCallOp>(op)) {
    read(call.getInputs());
    write(call.getOuts());
  } else if (auto check = dyn_cast<plan::CheckOp>(op)) {
    read(check.getActual());
    if (check.getExpected())
      read(check.getExpected());
    if (check.getPassed())
      write(check.getPassed());
  } else if (auto collective = dyn_cast<plan::CollectiveOp>(op)) {
    read(collective.getInputs());
    read(collective.getFillBuffer());
    write(collective.getOuts());
  } else if (auto start = dyn_cast<plan::CollectiveStartOp>(op)) {
    read(start.getInputs());
    read(start.getFillBuffer());
    write(start.getOuts());
    // All are in use until the collective is done.
    for (Operation *user : start.getEvent().getUsers()) {
      for (Value value : start.getInputs())
        accesses.push_back({user, value, false});
      if (start.getFillBuffer())
        accesses.push_back({user, start.getFillBuffer(), false});
      for (Value value : start.getOuts())
        accesses.push_back({user, value, false});
    }
  }
}

Liveness::Liveness(plan::ProgramOp program) {
  number(program.getBody());
  collectRoots(program);
  program.walk<WalkOrder::PreOrder>(
      [&](Operation *op) { collectAccesses(op); });
  llvm::stable_sort(accesses, [&](const Access &a, const Access &b) {
    return time.lookup(a.op) < time.lookup(b.op);
  });

  // Accesses of each declaration, reads before writes at one op.
  struct Event {
    int64_t when;
    Operation *op;
    bool isFullWrite;
    bool isAmbiguous;
  };
  llvm::MapVector<Operation *, SmallVector<Event>> events;
  for (const Access &access : accesses) {
    ArrayRef<Operation *> set = getRoots(access.buffer);
    for (Operation *root : set) {
      auto type = cast<plan::BufferType>(root->getResult(0).getType());
      bool full = access.isWrite && set.size() == 1 &&
                  cast<plan::BufferType>(access.buffer.getType()).getBytes() ==
                      type.getBytes();
      events[root].push_back(
          {time.lookup(access.op), access.op, full, set.size() > 1});
    }
  }
  for (auto &[root, list] : events) {
    Span span;
    for (const Event &event : list) {
      span.begin = std::min(span.begin, event.when);
      span.end = std::max(span.end, event.when);
    }
    // For each loop around an access: if its first access in the loop does not
    // overwrite all, an iteration depends on what was there before. A
    // declaration that is reached by several handles changes its role from one
    // iteration to the next and lives throughout.
    llvm::SmallDenseSet<Operation *> seen;
    for (const Event &event : list)
      for (Operation *loop = event.op->getParentOp();
           loop && !isa<plan::ProgramOp>(loop); loop = loop->getParentOp()) {
        if (!isa<plan::ForOp, plan::WhileOp>(loop) || !seen.insert(loop).second)
          continue;
        // Events are in order: this is the loop's first. An op that reads and
        // overwrites appears first as a read.
        if (!event.isFullWrite || event.isAmbiguous) {
          span.begin = std::min(span.begin, time.lookup(loop));
          span.end = std::max(span.end, endTime.lookup(loop));
        }
      }
    spans[root] = span;
  }
  // Handles that a loop carries keep what they point at alive to its end, even
  // where nothing touches it.
  program.walk([&](Operation *op) {
    if (!isa<plan::ForOp, plan::WhileOp>(op))
      return;
    for (Value value : op->getResults())
      for (Operation *root : getRoots(value)) {
        auto it = spans.find(root);
        if (it == spans.end())
          continue;
        it->second.begin = std::min(it->second.begin, time.lookup(op));
        it->second.end = std::max(it->second.end, endTime.lookup(op));
      }
  });
}

ArrayRef<Operation *> Liveness::getRoots(Value buffer) const {
  auto it = roots.find(buffer);
  return it == roots.end() ? ArrayRef<Operation *>() : it->second;
}

Liveness::Span Liveness::getSpan(Operation *declaration) const {
  return spans.lookup(declaration);
}
