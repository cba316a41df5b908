"""Zoetrope: a self-hosted bot that animates pictures in Discord and Slack.

The house has two wings, `bot` and `providers`, and one door between them, `providers.contract`. A room imports only
from the floors below its own, and never in a circle. A test reads this very table; the page reads from the top down:

    F18  bot.__main__                              the start
    F17  bot.cli                                   the command line
    F16  bot.app                                   builds everything once and hands it in
    F15  bot.adapters                              loads the providers and chats that are named in the settings
    F14  bot.config                                settings and secrets
    F13  bot.environment                           what the environment switches on
    F12  bot.web                                   the pages that are served over HTTP
    F11  bot.chats.terminal bot.chats.discord      events in, rendering out
         bot.chats.slack bot.ops                   what an operator does: backup, chores, logs, metrics
    F10  bot.engine                                the worker, and one job's life from top to bottom
    F9   bot.desk                                  what people can ask for, one module a use case
    F8   bot.store bot.files bot.media bot.text    rows; files; pictures and videos; sentences
    F7   bot.domain                                what a job is, what may happen to it, what is allowed: pure
    F6   bot.chats.download bot.chats.fields       what all chats do alike: read a picture and a form, say what is said
         bot.chats.conversation                    when
         bot.web.listener                          one listener for all that is asked by HTTP
    F5   bot.chats.contract bot.chats.underway     the words between us and any chat; one address that is served
         bot.web.server
    F4   providers.local providers.fal             providers of videos: they never import each other
         providers.kling providers.minimax
         bot.domain.options                        what a person may choose, declared once
    F3   providers.catalog providers.http          what providers share
         providers.mapping providers.batch
    F2   providers.transfer                        brings a video to a file
    F1   providers.network                         ways to the outside, for both wings
    F0   providers.contract providers.atomic       the words between us and a provider; files written whole or not
         providers.sandbox providers.connector     at all, limits for sandboxes and connections, for both wings

A job's life: `desk.requests` writes it, `engine.step` moves it, `domain.job.NEXT` says which moves exist.
"""
