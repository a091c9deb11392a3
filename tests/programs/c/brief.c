// A short life: allocates 10 blocks of 1,000 bytes, stays for as many milliseconds as the first argument says, and
// exits with the code that the second says. Proves that processes which come and go by themselves are reported.
//
//   brief MILLISECONDS CODE [ALLOCATE_AFTER_MILLISECONDS]
#include <stdlib.h>

#include "protocol.h"

SITE void allocate_ten(void) {
    for (int count = 0; count < 10; count++) {
        void *block = malloc(1000);
        KEEP(block);
    }
}

int main(int argc, char **argv) {
    if (argc < 3) return 103;
    if (argc > 3) usleep((unsigned)parse_number(argv[3]) * 1000);
    allocate_ten();
    usleep((unsigned)parse_number(argv[1]) * 1000);
    _exit((int)parse_number(argv[2]));
}
