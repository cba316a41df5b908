"""Pictures and videos: checked, made safe, made to fit."""
