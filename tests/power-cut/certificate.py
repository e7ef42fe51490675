"""One whole run: for each file system a disk, a server and a campaign; the verdict at the end."""

import json
import os
import pathlib
import shutil
import tempfile
import time

import instance
from bare import measure
from campaign import Campaign, Totals
from disk import Disk, why_not
from load import Ledger
from servers import SERVERS, adopt_orphans, eatmydata
from sink import Sink

MORE_WITHOUT_PROOF = 8  # cuts


def campaign_on(kind, options, folder, cuts, say):
    """One file system. Returns the campaign."""
    outside = folder / f"outside-{kind}"
    outside.mkdir(mode=0o755)
    disk, sink = Disk(kind, folder), Sink()
    try:
        disk.mount()
        disk.mount_point.chmod(0o755)
        server = SERVERS[options.server](disk.mount_point, outside, sink.port, forget_syncs=options.control,
                                         parameters=[word.split("=", 1) for word in options.parameter])
        os.sync()  # what we made is not what is tested
        campaign = Campaign(server, disk, Ledger(outside / "acknowledged"), sink, seed=options.seed, longest=options.longest, say=say,
                            clients=(5, 2, not options.no_admin), patience=5.0 if options.control else 30.0)
        end, begin = time.monotonic() + options.seconds, time.monotonic()

        def wants_more():
            """A cut that comes before anything was promised proves nothing: a short campaign has others then."""
            proof = campaign.totals["lost" if options.control else "messages acknowledged"]
            wanted = cuts if proof else cuts + MORE_WITHOUT_PROOF
            return campaign.totals["cuts"] < wanted and time.monotonic() < end

        try:
            while wants_more():
                campaign.cut()
                last = campaign.totals["cuts"] >= cuts or time.monotonic() >= end
                if last or campaign.totals["cuts"] % options.settle_every == 0:
                    before = len(campaign.complaints)
                    campaign.settle()
                    say(f"{kind} {time.monotonic() - begin:.0f} s: {campaign.totals.line()}")
                    if len(campaign.complaints) == before:
                        open(outside / "maillog", "r+").truncate(0)
                    elif not options.control:
                        break  # the evidence is kept
        finally:
            server.kill()
        if campaign.complaints and not options.control:
            options.keep = True
        return campaign
    finally:
        sink.close()
        disk.remove(keep_image=options.keep)


def certify(options, say=lambda text: print(text, flush=True)):
    """0: the certificate holds. 1: it does not. 2: nothing could be tried."""
    try:
        instance.private_mounts()
        adopt_orphans()
    except OSError as error:
        say(f"{options.fs}: NOT TRIED: needs root, with mounts of its own ({error})")
        return 2
    folder = pathlib.Path(tempfile.mkdtemp(prefix="power-cut-"))
    folder.chmod(0o755)
    kinds, campaigns = [], {}
    try:
        for kind in options.fs.split(","):
            why = why_not(kind, folder)
            if why:
                say(f"{kind}: NOT TRIED: {why}")
            else:
                kinds.append(kind)
        if options.control and not eatmydata():
            say("NOT TRIED: libeatmydata is not installed (package libeatmydata1)")
            return 2
        if not kinds:
            return 2
        if options.bare:
            return 1 if sum([measure(kind, folder, options.cuts, say) for kind in kinds]) else 0
        say(f"power-cut: {options.server}, {options.cuts} cuts on {', '.join(kinds)}, seed {options.seed}, "
            f"in {folder}{', UNDER libeatmydata' if options.control else ''}")
        for n, kind in enumerate(kinds):
            cuts = options.cuts // len(kinds) + (n < options.cuts % len(kinds))
            campaigns[kind] = campaign_on(kind, options, folder, cuts, say)
        return verdict(options, campaigns, say)
    finally:
        bad = any(c.complaints for c in campaigns.values()) or len(campaigns) < len(kinds) and not options.bare
        if options.keep or bad and not options.control:
            say(f"images, logs and ledgers are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def verdict(options, campaigns, say):
    totals = Totals()
    for kind, campaign in campaigns.items():
        totals.update(campaign.totals)
        say(f"{kind}: {campaign.totals.line()}; oldest delivery that was repeated: {campaign.oldest_copy:.1f} s before its cut")
    lost, complaints = totals["lost"], [text for c in campaigns.values() for text in c.complaints]
    if options.results:
        options.results.write_text(json.dumps({kind: {**c.totals, "oldest_copy": round(c.oldest_copy, 2), "complaints": c.complaints}
                                               for kind, c in campaigns.items()}, indent=1) + "\n")
    if options.control:
        blind = [kind for kind, c in campaigns.items() if not c.totals["lost"]]
        say(f"control: {lost} of {totals['promises']} lost under libeatmydata"
            + (f"; the harness is blind on {', '.join(blind)}: FAILED" if blind else ": as it must be"))
        return 1 if blind else 0
    say(f"{totals['cuts']} cuts, {totals['messages acknowledged']} messages acknowledged, {lost} lost, "
        f"{len(complaints)} complaints: " + ("FAILED" if complaints else "passed"))
    return 1 if complaints else 0
