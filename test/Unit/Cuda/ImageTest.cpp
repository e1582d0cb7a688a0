// Which code of a package runs on which chip.
#include "cuda/Device.h"

#include <gtest/gtest.h>

using namespace shoal::cuda;

TEST(CudaImages, CubinsRunOnTheirGeneration) {
  EXPECT_TRUE(runsOn("sm_80", false, 8, 0));
  EXPECT_TRUE(runsOn("sm_80", false, 8, 6));
  EXPECT_FALSE(runsOn("sm_86", false, 8, 0));
  EXPECT_FALSE(runsOn("sm_80", false, 9, 0));
  EXPECT_TRUE(runsOn("sm_90a", false, 9, 0));
  EXPECT_FALSE(runsOn("sm_90a", false, 10, 0));
  EXPECT_FALSE(runsOn("sm_100a", false, 10, 3));
  EXPECT_TRUE(runsOn("sm_100f", false, 10, 3));
  EXPECT_FALSE(runsOn("sm_100f", false, 12, 0));
}

TEST(CudaImages, PtxRunsOnLaterChips) {
  EXPECT_TRUE(runsOn("sm_80", true, 12, 0));
  EXPECT_FALSE(runsOn("sm_90", true, 8, 9));
  EXPECT_FALSE(runsOn("sm_90a", true, 10, 0));
  EXPECT_FALSE(runsOn("", true, 8, 0));
}
