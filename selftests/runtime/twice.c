// SPDX-License-Identifier: GPL-2.0
/*
 * Twice the number on standard input, from a function that is called before the checkpoint and
 * returns after it: where return addresses are signed, this one is.
 */
#include <stdio.h>
#include <unistd.h>

static __attribute__((noinline)) int number(void)
{
	char text[16] = "";
	int value = 0;

	if (read(STDIN_FILENO, text, sizeof(text) - 1) < 1 || sscanf(text, "%d", &value) != 1)
		return -1;
	return value;
}

int main(void)
{
	printf("%d\n", 2 * number());
	return 0;
}
