// Polynomial coefficients, lowest order first. Written by coefficients.py.
#ifndef SHOAL_KERNELMATH_COEFFICIENTS_H
#define SHOAL_KERNELMATH_COEFFICIENTS_H

namespace shoal::math {

template <typename T>
struct Coefficients;

template <>
struct Coefficients<float> {
  // (e^r - 1 - r) / r^2, |r| <= ln2/2: error 2^-29.3
  static constexpr float expm1[6] = {
      0x1.0000000000000p-1f, 0x1.5555560000000p-3f,  0x1.5554e40000000p-5f,
      0x1.1110e00000000p-7f, 0x1.6d49200000000p-10f, 0x1.a12a420000000p-13f,
  };
  // (log((1+s)/(1-s)) - 2s) / s^3, z = s^2, s <= (sqrt2-1)/(sqrt2+1): error
  // 2^-29.6
  static constexpr float log[4] = {
      0x1.5555560000000p-1f,
      0x1.9999ee0000000p-2f,
      0x1.245b280000000p-2f,
      0x1.de0b020000000p-3f,
  };
  // (log((1+s)/(1-s)) - 2s - 2/3 s^3) / s^5, z = s^2: error 2^-22.6
  static constexpr float log5[3] = {
      0x1.9999a40000000p-2f,
      0x1.2479b40000000p-2f,
      0x1.d833420000000p-3f,
  };
  // (sin r - r) / r^3, z = r^2, |r| <= pi/4: error 2^-25.5
  static constexpr float sin[3] = {
      -0x1.5555520000000p-3f,
      0x1.110c100000000p-7f,
      -0x1.9abc2c0000000p-13f,
  };
  // (cos r - 1 + r^2/2) / r^4, z = r^2, |r| <= pi/4: error 2^-28.9
  static constexpr float cos[3] = {
      0x1.5555540000000p-5f,
      -0x1.6c12be0000000p-10f,
      0x1.9bcdc60000000p-16f,
  };
  // (tanh x - x) / x^3, z = x^2, |x| <= 0.625: error 2^-29.2
  static constexpr float tanh[6] = {
      -0x1.5555560000000p-2f, 0x1.1110ea0000000p-3f,  -0x1.ba08c40000000p-5f,
      0x1.64a9760000000p-6f,  -0x1.116a160000000p-7f, 0x1.2c83c00000000p-9f,
  };
  // (atan x - x) / x^3, z = x^2, |x| <= tan(pi/8): error 2^-25.9
  static constexpr float atan[5] = {
      -0x1.5555540000000p-2f, 0x1.99971a0000000p-3f,  -0x1.241d1e0000000p-3f,
      0x1.b7cdc40000000p-4f,  -0x1.076a540000000p-4f,
  };
};

template <>
struct Coefficients<double> {
  // (e^r - 1 - r) / r^2, |r| <= ln2/2: error 2^-59.2
  static constexpr double expm1[11] = {
      0x1.0000000000000p-1,  0x1.5555555555557p-3,  0x1.5555555555556p-5,
      0x1.111111110ff87p-7,  0x1.6c16c16c16212p-10, 0x1.a01a01aca0134p-13,
      0x1.a01a01a741b3cp-16, 0x1.71ddffef9e7b1p-19, 0x1.27e4da1a3bf04p-22,
      0x1.af52906239de4p-26, 0x1.1f75aba0b1e2ep-29,
  };
  // (log((1+s)/(1-s)) - 2s) / s^3, z = s^2, s <= (sqrt2-1)/(sqrt2+1): error
  // 2^-58.6
  static constexpr double log[8] = {
      0x1.5555555555555p-1, 0x1.9999999999a43p-2, 0x1.249249247513dp-2,
      0x1.c71c7204621fep-3, 0x1.745cf7c1d5dafp-3, 0x1.3b1c79943fca2p-3,
      0x1.0fb77bcdefa76p-3, 0x1.0c4d8297b1431p-3,
  };
  // (log((1+s)/(1-s)) - 2s - 2/3 s^3) / s^5, z = s^2: error 2^-66.0
  static constexpr double log5[9] = {
      0x1.999999999999ap-2, 0x1.2492492492491p-2, 0x1.c71c71c71d07cp-3,
      0x1.745d17450787dp-3, 0x1.3b13b1c327111p-3, 0x1.1110dda1ec271p-3,
      0x1.e1f8aa608e4ecp-4, 0x1.ac3b374b048f0p-4, 0x1.b95e5debc9477p-4,
  };
  // (sin r - r) / r^3, z = r^2, |r| <= pi/4: error 2^-66.1
  static constexpr double sin[7] = {
      -0x1.5555555555555p-3,  0x1.1111111111110p-7,   -0x1.a01a01a0198dep-13,
      0x1.71de3a5455b9ap-19,  -0x1.ae64540000f84p-26, 0x1.6121703ee57b1p-33,
      -0x1.ab0f25d21fd92p-41,
  };
  // (cos r - 1 + r^2/2) / r^4, z = r^2, |r| <= pi/4: error 2^-70.3
  static constexpr double cos[7] = {
      0x1.5555555555555p-5,   -0x1.6c16c16c16c16p-10, 0x1.a01a01a019ce2p-16,
      -0x1.27e4fb770e01dp-22, 0x1.1eed8de33ebe0p-29,  -0x1.9394ace29bd7bp-37,
      0x1.ab70a23137c25p-45,
  };
  // (tanh x - x) / x^3, z = x^2, |x| <= 0.625: error 2^-57.8
  static constexpr double tanh[12] = {
      -0x1.5555555555555p-2,  0x1.11111111110a8p-3,   -0x1.ba1ba1ba0f126p-5,
      0x1.664f487e0a749p-6,   -0x1.226e3473dce5cp-7,  0x1.d6d39ae3905e2p-9,
      -0x1.7d9f6f23e8682p-10, 0x1.3526e9ed54da1p-11,  -0x1.f243823c8c981p-13,
      0x1.8445870f6fe41p-14,  -0x1.05bbdae896297p-15, 0x1.b33642a122cddp-18,
  };
  // (atan x - x) / x^3, z = x^2, |x| <= tan(pi/8): error 2^-54.7
  static constexpr double atan[11] = {
      -0x1.5555555555555p-2, 0x1.99999999992b1p-3,  -0x1.249249242e44ap-3,
      0x1.c71c718053ec6p-4,  -0x1.745d0a620f485p-4, 0x1.3b125117d4164p-4,
      -0x1.10f97c604830ap-4, 0x1.dfd550f02f5dap-5,  -0x1.a0413ef02020ep-5,
      0x1.4064bd87c0666p-5,  -0x1.37c6a16c69300p-6,
  };
};

} // namespace shoal::math

#endif // SHOAL_KERNELMATH_COEFFICIENTS_H
