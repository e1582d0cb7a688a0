// The kernels' scalar functions, compiled for this machine.
#ifndef SHOAL_TEST_UNIT_MATH_JITLIBRARY_H
#define SHOAL_TEST_UNIT_MATH_JITLIBRARY_H

/// Address of the function of that name; aborts if there is none.
void *lookupMath(const char *name);

template <typename Fn>
Fn *math(const char *name) {
  return reinterpret_cast<Fn *>(lookupMath(name));
}

#endif // SHOAL_TEST_UNIT_MATH_JITLIBRARY_H
