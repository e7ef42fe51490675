// Telling a service manager (systemd) how we are: the sd_notify protocol, without its library.
#pragma once

#include <string_view>

namespace postern::master {

// Sends "READY=1" or the like to $NOTIFY_SOCKET. Nothing happens where there is none.
void notify_manager(std::string_view state);

}  // namespace postern::master
