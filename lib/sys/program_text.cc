#include "lib/sys/program_text.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

// Of later headers than some have.
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

namespace postern::sys {
namespace {

void populate(std::uintptr_t begin, std::uintptr_t end) {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    begin -= begin % page;
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ);
}

// Called for the program, and then not for its libraries: other processes have those.
int populate_object(dl_phdr_info* object, std::size_t, void*) {
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const auto& segment = object->dlpi_phdr[i];
        const std::uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
        if (segment.p_type == PT_LOAD && (segment.p_flags & PF_W) == 0)
            populate(begin, begin + segment.p_memsz);
    }
    return 1;
}

}  // namespace

void load_program_text() { ::dl_iterate_phdr(populate_object, nullptr); }

}  // namespace postern::sys
