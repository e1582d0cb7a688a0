#include "shoal/Support/Bytes.h"

#include <gtest/gtest.h>

using shoal::bytesText;

TEST(Bytes, HaveThreeDigitsInTheUnitThatFits) {
  EXPECT_EQ(bytesText(0), "0 B");
  EXPECT_EQ(bytesText(999), "999 B");
  EXPECT_EQ(bytesText(1000), "1.00 KB");
  EXPECT_EQ(bytesText(4096), "4.10 KB");
  EXPECT_EQ(bytesText(32768), "32.8 KB");
  EXPECT_EQ(bytesText(268435456), "268 MB");
  EXPECT_EQ(bytesText(80e9), "80.0 GB");
  EXPECT_EQ(bytesText(5e18), "5000 PB");
  EXPECT_EQ(bytesText(-1536), "-1.54 KB");
}
