#include "IndexExpr.h"

#include "llvm/Support/MathExtras.h"

using namespace shoal::cpu;

IndexExpr::IndexExpr(IndexVar *var) {
  if (var->lower == var->upper)
    constant = var->lower;
  else
    terms.push_back({var, 1});
}

int64_t IndexExpr::getLower() const {
  int64_t bound = constant;
  for (const Term &t : terms)
    bound += t.coeff * (t.coeff > 0 ? t.var->lower : t.var->upper);
  return bound;
}

int64_t IndexExpr::getUpper() const {
  int64_t bound = constant;
  for (const Term &t : terms)
    bound += t.coeff * (t.coeff > 0 ? t.var->upper : t.var->lower);
  return bound;
}

IndexExpr IndexExpr::operator+(const IndexExpr &o) const {
  IndexExpr sum(constant + o.constant);
  auto a = terms.begin(), b = o.terms.begin();
  while (a != terms.end() || b != o.terms.end()) {
    if (b == o.terms.end() ||
        (a != terms.end() && a->var->id < b->var->id)) {
      sum.terms.push_back(*a++);
    } else if (a == terms.end() || b->var->id < a->var->id) {
      sum.terms.push_back(*b++);
    } else {
      int64_t coeff = a->coeff + b->coeff;
      if (coeff != 0)
        sum.terms.push_back({a->var, coeff});
      ++a;
      ++b;
    }
  }
  return sum;
}

IndexExpr IndexExpr::operator*(int64_t factor) const {
  if (factor == 0)
    return IndexExpr(0);
  IndexExpr product = *this;
  product.constant *= factor;
  for (Term &t : product.terms)
    t.coeff *= factor;
  return product;
}

bool IndexExpr::splitBy(int64_t divisor, IndexExpr &quotient,
                        IndexExpr &remainder) const {
  IndexExpr q, r;
  for (const Term &t : terms) {
    if (t.coeff % divisor == 0)
      q.terms.push_back({t.var, t.coeff / divisor});
    else
      r.terms.push_back(t);
  }
  r.constant = constant;
  int64_t low = llvm::divideFloorSigned(r.getLower(), divisor);
  if (llvm::divideFloorSigned(r.getUpper(), divisor) != low)
    return false;
  q.constant = low;
  r.constant -= low * divisor;
  quotient = q;
  remainder = r;
  return true;
}

llvm::hash_code shoal::cpu::hash_value(const IndexExpr &e) {
  llvm::hash_code hash = llvm::hash_value(e.constant);
  for (const IndexExpr::Term &t : e.terms)
    hash = llvm::hash_combine(hash, t.var->id, t.coeff);
  return hash;
}
