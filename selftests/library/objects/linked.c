// SPDX-License-Identifier: GPL-2.0
/* A function that was linked with the provider's library: a line for each that it reads. */
#include <stdio.h>

const char *meter_unit(void);
const char *meter_place(void);
const char *meter_describe(void);
const char *meter_kind(void);
extern long meter_values[4];

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin))
		printf("%s %s %s %s %ld\n", meter_unit(), meter_place(), meter_describe(),
		       meter_kind(), meter_values[3]);
	return 0;
}
