"""Where the machines of a lab come from. A provider is one module with two functions:

start(lab, say) -> every machine runs; the SSH configuration that leads to them
remove(lab, say) -> what is left of them, in words; nothing when all went well
"""
