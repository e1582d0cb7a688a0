#!/bin/sh
# Runs the compiler through ccache when there is one. The sloppiness is what
# ccache needs to hit with precompiled headers; the headers are written without
# a time stamp (see ShoalTargets.cmake), so it is safe.
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
if command -v ccache >/dev/null 2>&1; then exec ccache "$@"; fi
exec "$@"
