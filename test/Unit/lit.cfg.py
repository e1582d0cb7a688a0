# -*- Python -*-
import lit.formats

config.name = "Shoal-Unit"
config.test_format = lit.formats.GoogleTest("", "Tests")
config.suffixes = []
config.test_source_root = config.shoal_obj_root + "/test/Unit"
config.test_exec_root = config.test_source_root
