/* SPDX-License-Identifier: GPL-2.0 */
/* From a SPEC to a deployment: sets become groups, resources become a tree. */
#ifndef COPPICE_COMPILE_H
#define COPPICE_COMPILE_H

#include "deployment.h"
#include "numbers.h"
#include "spec.h"

/* Changes @numbers to what the state file is to have. NULL with err set. */
struct deployment *compile(const struct spec *spec, struct numbers *numbers, struct error *err);

#endif /* COPPICE_COMPILE_H */
