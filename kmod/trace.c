// SPDX-License-Identifier: GPL-2.0
#include "coppice.h"

#define CREATE_TRACE_POINTS
#include "trace.h"
