// A program's own code, which the kernel reads from the disk piece by piece as it is needed.
#pragma once

namespace postern::sys {

// Has all of it read and mapped now, and so kept while this process is there. A wish: kernels before
// Linux 5.14 go on as they did.
void load_program_text();

}  // namespace postern::sys
