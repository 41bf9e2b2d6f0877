// SPDX-License-Identifier: GPL-2.0
/* The provider's library: functions, one of them in two versions, and data. */

const char *meter_unit(void);
const char *meter_place(void);
const char *meter_place_old(void);
const char *meter_place_new(void);
const char *meter_describe(void);
const char *meter_kind(void);

long meter_values[4] = { 1, 2, 3, 4 };

const char *meter_unit(void)
{
	return "unit-provider";
}

const char *meter_place_old(void)
{
	return "place-old";
}

const char *meter_place_new(void)
{
	return "place-new";
}

__asm__(".symver meter_place_old,meter_place@METER_1.0");
__asm__(".symver meter_place_new,meter_place@@METER_2.0");

const char *meter_kind(void)
{
	return "kind-provider";
}

/* By way of the library's own table, as the dynamic linker has it. */
const char *meter_describe(void)
{
	return meter_unit();
}
